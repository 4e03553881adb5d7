#include <google/protobuf/util/time_util.h>

#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/cli/array_json.h"
#include "client/cli/error.h"
#include "client/cli/safetensors_dtype.h"
#include "client/cli/state_file.h"
#include "stepwell/array/shape.h"

namespace stepwell::cli {
namespace {

using google::protobuf::util::TimeUtil;

// What readers of the format take at most.
constexpr size_t kMaxHeaderBytes = 100'000'000;

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string LittleEndian(uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

}  // namespace

StateFileWriter::~StateFileWriter() {
  if (partial_path_.empty()) return;
  file_.close();
  std::remove(partial_path_.c_str());
}

absl::Status StateFileWriter::Failed() const {
  return BadInput(absl::StrCat("\"", path_,
                               "\" cannot be written; expected a folder in which you may make files, "
                               "and room for ",
                               data_bytes_, " bytes"));
}

absl::Status StateFileWriter::AddSnapshot(const v1::MovedSnapshot& snapshot) {
  Json appends = Json::array();
  for (const v1::MovedSnapshot::ArrayHeader& array : snapshot.arrays()) {
    const absl::StatusOr<Shape> shape =
        Shape::Make({array.shape().data(), static_cast<size_t>(array.shape_size())});
    if (!shape.ok()) return shape.status();
    const auto dtype = static_cast<DType>(array.dtype());
    const int64_t end = data_bytes_ + shape->ByteCount(dtype);
    const std::string name =
        head_.has_history ? absl::StrCat(snapshot_count_, "/", array.index()) : array.index();
    absl::StrAppend(&tensors_, ",", Dump(name), ":",
                    Dump({{"dtype", std::string(SafetensorsTag(dtype))},
                          {"shape", std::vector<int64_t>(array.shape().begin(), array.shape().end())},
                          {"data_offsets", {data_bytes_, end}}}));
    data_bytes_ = end;
    if (array.appends()) appends.push_back(array.index());
  }
  absl::StrAppend(&snapshots_, snapshot_count_ == 0 ? "" : ",",
                  Dump({{"version", snapshot.version()},
                        {"revision", snapshot.revision()},
                        {"method", snapshot.method()},
                        {"create_time", TimeUtil::ToString(snapshot.create_time())},
                        {"labels", std::map<std::string, std::string>(snapshot.labels().begin(),
                                                                      snapshot.labels().end())},
                        {"step_count", snapshot.step_count()},
                        {"pinned", snapshot.pinned()},
                        {"array_count", snapshot.arrays_size()},
                        {"appends", appends}}));
  ++snapshot_count_;
  if (tensors_.size() + snapshots_.size() <= kMaxHeaderBytes) return absl::OkStatus();
  return BadInput(absl::StrCat("a history of ", head_.history.snapshot_count(),
                               " versions takes a header of more than ", kMaxHeaderBytes,
                               " bytes, which no reader of safetensors takes; export it without --history"));
}

absl::Status StateFileWriter::BeginData() {
  Json revisions = Json::array();
  for (const v1::MovedHistory::Revision& revision : head_.history.revisions()) {
    revisions.push_back({{"number", revision.number()}, {"digest", revision.digest()}});
  }
  Json metadata = {{"stepwell_format", "1"},
                   {"model", head_.history.model()},
                   {"history", head_.has_history ? "true" : "false"},
                   {"revisions", Dump(revisions)},
                   {"snapshots", absl::StrCat("[", snapshots_, "]")}};
  if (!head_.branch.empty()) metadata["branch"] = head_.branch;
  std::string header = absl::StrCat("{\"__metadata__\":", Dump(metadata), tensors_, "}");
  header.append((8 - header.size() % 8) % 8, ' ');  // So that arrays may lie aligned.
  if (header.size() > kMaxHeaderBytes) {
    return BadInput(absl::StrCat("the header of the file would have ", header.size(),
                                 " bytes, and no reader of "
                                 "safetensors takes more than ",
                                 kMaxHeaderBytes, "; export it without --history"));
  }
  partial_path_ = absl::StrCat(path_, ".partial");
  file_.open(partial_path_, std::ios::binary | std::ios::trunc);
  file_ << LittleEndian(header.size()) << header;
  return file_ ? absl::OkStatus() : Failed();
}

absl::Status StateFileWriter::AddData(absl::string_view bytes) {
  file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  written_bytes_ += static_cast<int64_t>(bytes.size());
  return file_ ? absl::OkStatus() : Failed();
}

absl::Status StateFileWriter::Finish() {
  file_.close();
  if (!file_ || std::rename(partial_path_.c_str(), path_.c_str()) != 0) return Failed();
  partial_path_.clear();
  return absl::OkStatus();
}

}  // namespace stepwell::cli
