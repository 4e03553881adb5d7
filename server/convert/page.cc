#include "server/convert/page.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "stepwell/base/sha256.h"

namespace stepwell::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kDefaultSize = 100;
constexpr int kMaxSize = 1000;
constexpr size_t kDigestSize = 8;

const FieldDescriptor& Field(const Message& request, const char* name) {
  return *request.GetDescriptor()->FindFieldByName(name);
}

// Of `last` in the listing that `request` asks for. It tells a token that was given from one that was made
// up or belongs to another listing, and keeps no secret.
std::string Digest(const Message& request, absl::string_view last) {
  const std::unique_ptr<Message> listing(request.New());
  listing->CopyFrom(request);
  const auto& reflection = *listing->GetReflection();
  reflection.ClearField(listing.get(), &Field(request, "page_size"));
  reflection.ClearField(listing.get(), &Field(request, "page_token"));
  std::string text = absl::StrCat(request.GetTypeName(), "\n", last, "\n");
  {
    google::protobuf::io::StringOutputStream stream(&text);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);  // Or the order of a map's entries would count.
    listing->SerializeToCodedStream(&out);
  }
  Sha256 digest;
  digest.Add(text);
  return digest.Finish().substr(0, kDigestSize);
}

}  // namespace

absl::StatusOr<Page> DecodePage(const Message& request) {
  const auto& reflection = *request.GetReflection();
  const int size = reflection.GetInt32(request, &Field(request, "page_size"));
  if (size < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_size is ", size, "; expected 0 (the default of ", kDefaultSize, ") or more"));
  }
  Page page{.size = static_cast<size_t>(size == 0 ? kDefaultSize : std::min(size, kMaxSize))};
  const std::string token = reflection.GetString(request, &Field(request, "page_token"));
  if (token.empty()) return page;
  std::string bytes;
  if (absl::WebSafeBase64Unescape(token, &bytes) && bytes.size() > kDigestSize) {
    page.after = bytes.substr(kDigestSize);
    if (Digest(request, page.after) == bytes.substr(0, kDigestSize)) return page;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "page_token is \"", absl::CHexEscape(token.substr(0, 100)),
      "\"; expected the next_page_token of a reply to the same request, but for its page_size, or none"));
}

std::string EncodePageToken(const Message& request, absl::string_view last) {
  return absl::WebSafeBase64Escape(absl::StrCat(Digest(request, last), last));
}

}  // namespace stepwell::server
