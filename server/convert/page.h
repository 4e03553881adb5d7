#ifndef STEPWELL_SERVER_CONVERT_PAGE_H_
#define STEPWELL_SERVER_CONVERT_PAGE_H_

#include <google/protobuf/message.h>

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace stepwell::server {

// Of a request with page_size and page_token. INVALID_ARGUMENT: a page_size below 0, or a page_token that no
// reply to such a request gave.
struct Page {
  size_t size = 0;
  std::string after;  // Where the page before ended; empty on the first.
};
absl::StatusOr<Page> DecodePage(const google::protobuf::Message& request);

// The token that lets `request`, whatever its page_size, go on after `last`, which must not be empty.
std::string EncodePageToken(const google::protobuf::Message& request, absl::string_view last);

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_CONVERT_PAGE_H_
