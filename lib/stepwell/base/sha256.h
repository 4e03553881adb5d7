#ifndef STEPWELL_BASE_SHA256_H_
#define STEPWELL_BASE_SHA256_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace stepwell {

// The SHA-256 digest of bytes that come in pieces. Thread-compatible.
class Sha256 {
 public:
  Sha256();

  void Add(absl::string_view bytes);

  // Its 32 bytes. Call once, last.
  std::string Finish();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

}  // namespace stepwell

#endif  // STEPWELL_BASE_SHA256_H_
