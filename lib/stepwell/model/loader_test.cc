#include "stepwell/model/loader.h"

#include <filesystem>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stepwell/base/error_info.h"
#include "stepwell/model/testing/graph_builder.h"
#include "stepwell/model/testing/temp_folder.h"

namespace stepwell {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::Contains;
using testing::CounterGraph;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using LoadResult = absl::StatusOr<std::shared_ptr<const Model>>;

constexpr char kCounterText[] = "state { index: \"count\" dtype: INT32 }\nmethod { name: \"step\" }\n";

class LoaderTest : public ::testing::Test {
 protected:
  // Loads the folder m, or the lone file m.onnx.
  LoadResult Load() const {
    const bool is_folder = fs::exists(folder_.path() / "m");
    const auto package = Package::Open(folder_.path() / (is_folder ? "m" : "m.onnx"));
    if (!package.ok()) return package.status();
    return LoadModel(*package, "m", {.revision = 7, .digest = "sha256:abc"});
  }

  // Loads what cannot be; the lines that say why.
  std::vector<std::string> Faults() const {
    const absl::Status status = Load().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(GetErrorInfo(status).reason, "MODEL_INVALID");
    std::vector<std::string> lines = absl::StrSplit(status.message(), '\n');
    EXPECT_THAT(lines[0], StartsWith("the package of model \"m\" has "));
    lines.erase(lines.begin());
    return lines;
  }

  // The output y of one step of a counter that stands at 4.
  static absl::StatusOr<Array> CountFive(const Model& model) {
    const absl::StatusOr<const Method*> step = model.FindMethod("step");
    if (!step.ok()) return step.status();
    const auto result = (*step)->Run({Array::Scalar<int32_t>(1)}, {Array::Scalar<int32_t>(4)});
    if (!result.ok()) return result.status();
    return result->outputs[0];
  }

  testing::TempFolder folder_;
};

TEST_F(LoaderTest, FolderIsAModel) {
  folder_.Write("m/model.textproto", std::string("name: \"m\" description: \"Counts\"\n") + kCounterText);
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  const LoadResult model = Load();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->name(), "m");
  EXPECT_EQ((*model)->revision(), 7);
  EXPECT_EQ((*model)->digest(), "sha256:abc");
  EXPECT_EQ((*model)->description(), "Counts");
  EXPECT_FALSE((*model)->check_finite());
  EXPECT_EQ((*model)->state_spec().size(), 1);
  EXPECT_EQ(CountFive(**model).value(), Array::Scalar<int32_t>(5));
  const absl::Status unknown = (*model)->FindMethod("stop").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorInfo(unknown).reason, "METHOD_NOT_FOUND");
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("has no method \"stop\"; it has step"));
}

TEST_F(LoaderTest, TextMayAskForFiniteStates) {
  folder_.Write("m/model.textproto", std::string(kCounterText) + "check_finite: true\n");
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  const LoadResult model = Load();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE((*model)->check_finite());
}

TEST_F(LoaderTest, TextMaySayWhatIsKept) {
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  folder_.Write("m/model.textproto", kCounterText);
  EXPECT_EQ((*Load())->retention(), std::nullopt);
  folder_.Write("m/model.textproto", std::string(kCounterText) + "retention {}\n");
  EXPECT_EQ((*Load())->retention(), RetentionPolicy()) << "all, whatever the server says";
  folder_.Write("m/model.textproto", std::string(kCounterText) +
                                         "retention { keep_last: 5 keep_every: 100 max_age_seconds: 60 }\n");
  EXPECT_EQ((*Load())->retention(),
            (RetentionPolicy{.keep_last = 5, .keep_every = 100, .max_age = absl::Minutes(1)}));
}

TEST_F(LoaderTest, RetentionHasBounds) {
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  for (const auto& [text, fault] :
       {std::pair("retention { keep_last: 0 }",
                  "model.textproto: retention.keep_last is 0; expected at least 1, or none"),
        std::pair("retention { max_age_seconds: -1 }",
                  "model.textproto: retention.max_age is -1s; expected 0 or more, or none")}) {
    folder_.Write("m/model.textproto", std::string(kCounterText) + text);
    EXPECT_THAT(Faults(), Contains(fault));
  }
}

TEST_F(LoaderTest, MethodsMayShareOneGraph) {
  folder_.Write("m/model.textproto",
                "state { index: \"count\" dtype: INT32 }\n"
                "method { name: \"step\" graph: \"graphs/all.onnx\" }\n"
                "method { name: \"peek\" graph: \"graphs/all.onnx\" reads { index: \"count\" } }");
  folder_.Write("m/graphs/all.onnx", CounterGraph().Bytes());
  const LoadResult model = Load();
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ((*model)->methods().size(), 2u);
  EXPECT_FALSE((*model)->methods()[0]->is_pure());
  EXPECT_TRUE((*model)->methods()[1]->is_pure());
  EXPECT_EQ((*model)->methods()[1]->outputs().size(), 2u);
}

TEST_F(LoaderTest, LoneGraphWithTextInItsMetadataIsAModel) {
  folder_.Write("m.onnx", CounterGraph().Metadata("stepwell.model", kCounterText).Bytes());
  const LoadResult model = Load();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(CountFive(**model).value(), Array::Scalar<int32_t>(5));
}

TEST_F(LoaderTest, LoneGraphThroughALinkBearsTheLinksName) {
  folder_.Write("blobs/\xFF.onnx", CounterGraph().Bytes());
  fs::create_symlink("blobs/\xFF.onnx", folder_.path() / "m.onnx");
  EXPECT_THAT(Faults(), ElementsAre(StartsWith("m.onnx: has no metadata \"stepwell.model\"")));
}

TEST_F(LoaderTest, LoneGraphsFaultsNameTheMetadata) {
  folder_.Write("m.onnx", CounterGraph().Metadata("other", "x").Bytes());
  EXPECT_THAT(Faults(), ElementsAre("m.onnx: has no metadata \"stepwell.model\"; expected the text of a "
                                    "model.textproto there"));
  folder_.Write("m.onnx", CounterGraph().Metadata("stepwell.model", "colour: 1").Bytes());
  EXPECT_THAT(Faults(), ElementsAre(StartsWith("m.onnx (metadata stepwell.model):1:")));
  folder_.Write(
      "m.onnx",
      CounterGraph().Metadata("stepwell.model", "method { name: \"step\" graph: \"other.onnx\" }").Bytes());
  EXPECT_THAT(Faults(),
              ElementsAre(HasSubstr("graph is \"other.onnx\"; expected none, as the graph is \"m.onnx\" "
                                    "itself")));
}

TEST_F(LoaderTest, FolderWithoutTextIsRefused) {
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  EXPECT_THAT(Faults(), ElementsAre("model.textproto: file \"model.textproto\" is not in the package"));
}

TEST_F(LoaderTest, TruncatedGraphIsRefusedWhereverItIsCut) {
  folder_.Write("m/model.textproto", kCounterText);
  const std::string whole = CounterGraph().Bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    folder_.Write("m/step.onnx", whole.substr(0, size));
    EXPECT_THAT(Faults().at(0), StartsWith("step.onnx: "));
  }
}

TEST_F(LoaderTest, CorruptGraphIsRefusedOrRuns) {
  folder_.Write("m/model.textproto", kCounterText);
  const std::string whole = CounterGraph().Bytes();
  int refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    SCOPED_TRACE(at);
    std::string corrupt = whole;
    corrupt[at] = static_cast<char>(corrupt[at] ^ 0x41);
    folder_.Write("m/step.onnx", corrupt);
    const LoadResult model = Load();
    if (model.ok()) continue;  // Such as another name of the graph.
    ++refused;
    EXPECT_EQ(GetErrorInfo(model.status()).reason, "MODEL_INVALID") << model.status();
  }
  EXPECT_GT(refused, 20);
}

TEST_F(LoaderTest, GraphThatOnnxRuntimeRefusesIsToldInItsWords) {
  folder_.Write("m/model.textproto", kCounterText);
  GraphBuilder graph = CounterGraph();
  graph.Node("Add", {"count", "nowhere"}, {"z"});
  folder_.Write("m/step.onnx", graph.Bytes());
  EXPECT_THAT(Faults(), Contains(AllOf(StartsWith("step.onnx: "), HasSubstr("nowhere"))));
}

TEST_F(LoaderTest, CustomOperatorsAreNeverLoaded) {
  folder_.Write("m/model.textproto", "method { name: \"step\" }");
  GraphBuilder graph;
  graph.Input({"x", DType::kInt32, {}})
      .Output({"y", DType::kInt32, {}})
      .Node("Steal", {"x"}, {"y"}, "custom.ops");
  auto& import = *graph.model().add_opset_import();
  import.set_domain("custom.ops");
  import.set_version(1);
  folder_.Write("m/step.onnx", graph.Bytes());
  folder_.Write("m/libcustom.so", "not a library");
  EXPECT_THAT(Faults(), Contains(AllOf(StartsWith("step.onnx: "), HasSubstr("Steal"))));
}

// Graphs that keep a float32 vector of two, which they add to x, in the file at `location`: once for each
// place in a graph where a tensor may stand.
std::vector<std::pair<std::string, GraphBuilder>> ExternalGraphs(const std::string& location) {
  using TensorProto = GraphBuilder::TensorProto;
  const auto point = [&](TensorProto& tensor) {
    tensor.set_name("w");
    tensor.set_data_type(1);
    tensor.add_dims(2);
    tensor.set_data_location(1);
    for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
             {"offset", "0"}, {"length", "8"}, {"location", location}}) {
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
  };
  const auto add = [] {
    GraphBuilder graph;
    graph.Input({"x", DType::kFloat32, {{2}}})
        .Output({"y", DType::kFloat32, {{2}}})
        .Node("Add", {"x", "w"}, {"y"});
    return graph;
  };
  std::vector<std::pair<std::string, GraphBuilder>> graphs;

  GraphBuilder initializer = add();
  point(*initializer.model().mutable_graph()->add_initializer());
  graphs.emplace_back("initializer", initializer);

  GraphBuilder attribute;
  attribute.Input({"x", DType::kFloat32, {{2}}}).Output({"y", DType::kFloat32, {{2}}});
  attribute.Node("Constant", {}, {"w"}).Node("Add", {"x", "w"}, {"y"});
  auto& value = *attribute.model().mutable_graph()->mutable_node(0)->add_attribute();
  value.set_name("value");
  value.set_type(4);
  point(*value.mutable_t());
  graphs.emplace_back("attribute", attribute);

  GraphBuilder subgraph;
  subgraph.Input({"x", DType::kFloat32, {{2}}}).Output({"y", DType::kFloat32, {{2}}});
  subgraph.Initializer("yes", Array::Scalar(true)).Node("If", {"yes"}, {"y"});
  for (const char* branch : {"then_branch", "else_branch"}) {
    GraphBuilder inner;
    inner.Output({"y", DType::kFloat32, {{2}}}).Node("Add", {"x", "w"}, {"y"});
    point(*inner.model().mutable_graph()->add_initializer());
    auto& inside = *subgraph.model().mutable_graph()->mutable_node(0)->add_attribute();
    inside.set_name(branch);
    inside.set_type(5);
    *inside.mutable_g() = inner.model().graph();
  }
  graphs.emplace_back("subgraph", subgraph);
  return graphs;
}

TEST_F(LoaderTest, ExternalDataInsideThePackageIsRead) {
  folder_.Write("m/model.textproto", "method { name: \"step\" }");
  const float weights[] = {10, 20};
  folder_.Write("m/data/w.bin", {reinterpret_cast<const char*>(weights), sizeof(weights)});
  for (const auto& [place, graph] : ExternalGraphs("data/w.bin")) {
    SCOPED_TRACE(place);
    folder_.Write("m/step.onnx", graph.Bytes());
    const LoadResult model = Load();
    if (place == "attribute") continue;  // Whether ONNX Runtime reads data there is up to its version.
    ASSERT_TRUE(model.ok()) << model.status();
    const auto result = (*model)->methods()[0]->Run({Array::From<float>({2}, {1, 2}).value()}, {});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outputs[0], Array::From<float>({2}, {11, 22}).value());
  }
}

TEST_F(LoaderTest, ExternalDataOutsideThePackageIsRefused) {
  folder_.Write("secret.bin", "12345678");
  folder_.Write("m/.hidden.bin", "12345678");
  folder_.Write("m/model.textproto", "method { name: \"step\" }");
  const std::string absolute = (folder_.path() / "secret.bin").string();
  for (const std::string& location :
       {absolute, std::string("../secret.bin"), std::string("data/../../secret.bin"), std::string("gone.bin"),
        std::string(".hidden.bin"), std::string(), std::string("/proc/self/environ"),
        std::string("*/_ORT_MEM_ADDR_/*")}) {
    for (const auto& [place, graph] : ExternalGraphs(location)) {
      SCOPED_TRACE(place + " at " + location);
      folder_.Write("m/step.onnx", graph.Bytes());
      const std::vector<std::string> faults = Faults();
      EXPECT_THAT(faults, ::testing::Each(
                              StartsWith("step.onnx: tensor \"w\" has its data in \"" + location + "\"")));
      EXPECT_EQ(faults.size(), place == "subgraph" ? 2u : 1u);
    }
  }
}

TEST_F(LoaderTest, FileThatBearsTheNameOfAMemoryAddressIsRefused) {
  folder_.Write("m/model.textproto", "method { name: \"step\" }");
  folder_.Write("m/*/_ORT_MEM_ADDR_/*", "12345678");
  folder_.Write("m/step.onnx", ExternalGraphs("*/_ORT_MEM_ADDR_/*")[0].second.Bytes());
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("expected a file name without \"*\"")));
}

TEST_F(LoaderTest, LoneGraphHasNoDataBesideIt) {
  folder_.Write("w.bin", "12345678");
  GraphBuilder graph = ExternalGraphs("w.bin")[0].second;
  folder_.Write("m.onnx", graph.Metadata("stepwell.model", "method { name: \"step\" }").Bytes());
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("file \"w.bin\" is not in the package")));
}

TEST_F(LoaderTest, TextThatMakesNoModelIsRefused) {
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  const auto faults = [this](const std::string& text) {
    folder_.Write("m/model.textproto", text);
    return Faults();
  };
  EXPECT_THAT(faults(""), ElementsAre("model.textproto: the model has no method; expected at least one"));
  EXPECT_THAT(faults(std::string("name: \"n\"\n") + kCounterText),
              ElementsAre("model.textproto: name is \"n\"; expected \"m\", as the package is called"));
  EXPECT_THAT(faults("method { name: \"2nd\" graph: \"step.onnx\" }"),
              ElementsAre(HasSubstr("expected a name of")));
  EXPECT_THAT(faults("method { graph: \"step.onnx\" }"), ElementsAre(HasSubstr("expected a name of")));
  EXPECT_THAT(
      faults("method { name: \"step\" }\nmethod { name: \"step\" }"),
      ElementsAre("model.textproto:2: method \"step\": the method is declared already; expected each method "
                  "once"));
  EXPECT_THAT(faults("method { name: \"infer\" }"),
              ElementsAre("infer.onnx: file \"infer.onnx\" is not in the package"));
  EXPECT_THAT(faults("method { name: \"step\" graph: \"../step.onnx\" }"),
              ElementsAre(HasSubstr("leaves the package")));
}

TEST_F(LoaderTest, EverythingThatIsWrongIsToldAtOnce) {
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  folder_.Write("m/broken.onnx", "no graph");
  folder_.Write("m/model.textproto",
                "name: \"n\"\n"
                "state { index: \"count\" dtype: FLOAT32 }\n"
                "state { index: \"odd\" }\n"
                "method { name: \"step\" }\n"
                "method { name: \"broken\" }\n"
                "method { name: \"gone\" }\n"
                "method { name: \"more\" graph: \"step.onnx\" writes { index: \"x\" } }");
  EXPECT_THAT(Faults(),
              ElementsAre(HasSubstr("name is \"n\""), HasSubstr(":3: state \"odd\": has no dtype"),
                          HasSubstr(":4: method \"step\": reads \"count\", float32 ()"),
                          HasSubstr(":4: method \"step\": writes \"count\", float32 ()"),
                          HasSubstr("broken.onnx: the 8 bytes are no ONNX model"), HasSubstr("gone.onnx: "),
                          HasSubstr(":7: method \"more\": writes \"x\", which is not in the state spec"),
                          HasSubstr(":7: method \"more\": writes \"x\" from output \"x.next\"")));
}

TEST_F(LoaderTest, GraphsInputsAndOutputsMustBeDenseTensorsOfArraysDTypes) {
  folder_.Write("m/model.textproto", "method { name: \"step\" }");
  GraphBuilder graph;
  graph.Input({"s", DType::kInt32, {{2}}})
      .Input({"x", DType::kInt32, {{2}}})
      .Node("SequenceConstruct", {"x"}, {"q"})
      .Node("Identity", {"s"}, {"t"})
      .Node("Identity", {"x"}, {"y"})
      .Output({"q", DType::kInt32, {{2}}})
      .Output({"t", DType::kInt32, {{2}}})
      .Output({"y", DType::kInt32, {{2}}});
  auto& proto = *graph.model().mutable_graph();
  constexpr int kString = 8;  // Of ONNX's TensorProto.DataType.
  proto.mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(kString);
  proto.mutable_output(1)->mutable_type()->mutable_tensor_type()->set_elem_type(kString);
  const auto sequence = proto.output(0).type();
  *proto.mutable_output(0)->mutable_type()->mutable_sequence_type()->mutable_elem_type() = sequence;
  folder_.Write("m/step.onnx", graph.Bytes());
  EXPECT_THAT(Faults(),
              ElementsAre("step.onnx: input \"s\" has elements of type string; expected bool, integers or "
                          "floating-point numbers",
                          "step.onnx: output \"q\" is a sequence; expected a dense tensor",
                          "step.onnx: output \"t\" has elements of type string; expected bool, integers or "
                          "floating-point numbers"));
}

TEST_F(LoaderTest, OutputWithoutAShapeIsRefused) {
  folder_.Write("m/model.textproto", "method { name: \"step\" }");
  GraphBuilder graph;
  graph.Input({"x", DType::kFloat32, {{Dim::kDynamic, "n"}}})
      .Input({"shape", DType::kInt64, {{Dim::kDynamic, ""}}})
      .Node("Reshape", {"x", "shape"}, {"y"})
      .Output({"y", DType::kFloat32, {}});
  graph.model().mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  folder_.Write("m/step.onnx", graph.Bytes());
  EXPECT_THAT(Faults(),
              ElementsAre("step.onnx: output \"y\" has no shape; expected the graph to declare one, be it "
                          "with dynamic dimensions"));
}

TEST_F(LoaderTest, BatchingNeedsTheBatchAxisEverywhere) {
  folder_.Write("m/model.textproto", std::string(kCounterText) + "batching { max_batch_size: 8 }\n");
  GraphBuilder graph;
  graph.Input({"count", DType::kInt32, {{Dim::kDynamic, "batch"}}})
      .Input({"x", DType::kInt32, {}})
      .Node("Add", {"count", "x"}, {"count.next"})
      .Output({"count.next", DType::kInt32, {{4, ""}}});
  folder_.Write("m/step.onnx", graph.Bytes());
  EXPECT_THAT(
      Faults(),
      ElementsAre("step.onnx: input \"x\" is int32 (); expected a dynamic outermost axis, along which "
                  "the steps of a batch are stacked, since the model declares batching",
                  "step.onnx: output \"count.next\" is int32 (4); expected a dynamic outermost axis, "
                  "along which the steps of a batch are stacked, since the model declares batching"));
}

TEST_F(LoaderTest, BatchingNeedsAGraphInput) {
  folder_.Write("m/model.textproto", "batching { max_batch_size: 8 }\nmethod { name: \"step\" }");
  GraphBuilder graph;
  graph.Initializer("c", Array::Zeros(DType::kFloat32, Shape::Of({2})))
      .Node("Identity", {"c"}, {"y"})
      .Output({"y", DType::kFloat32, {{Dim::kDynamic, "n"}}});
  folder_.Write("m/step.onnx", graph.Bytes());
  EXPECT_THAT(Faults(), Contains("step.onnx: the graph has no input; expected at least one, since the model "
                                 "declares batching"));
}

TEST_F(LoaderTest, BatchingHasBounds) {
  folder_.Write("m/step.onnx", CounterGraph().Bytes());
  for (const auto& [text, fault] :
       {std::pair("batching {}", "model.textproto: batching.max_batch_size is 0; expected 2 to 4096"),
        std::pair("batching { max_batch_size: 4097 }",
                  "model.textproto: batching.max_batch_size is 4097; expected 2 to 4096"),
        std::pair("batching { max_batch_size: 2 max_queue_delay_micros: -1 }",
                  "model.textproto: batching.max_queue_delay_micros is -1; expected 0 to 1000000"),
        std::pair("batching { max_batch_size: 2 max_queue_delay_micros: 1000001 }",
                  "model.textproto: batching.max_queue_delay_micros is 1000001; expected 0 to 1000000")}) {
    folder_.Write("m/model.textproto", std::string(kCounterText) + text);
    EXPECT_THAT(Faults(), Contains(fault));
  }
}

}  // namespace
}  // namespace stepwell
