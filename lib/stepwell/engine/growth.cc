#include "stepwell/engine/growth.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "stepwell/array/append.h"
#include "stepwell/array/slice.h"

namespace stepwell {

absl::StatusOr<WrittenArrays> MakeWhole(const Method& method, absl::Span<const Array> state,
                                        ArrayVector& written) {
  WrittenArrays appended;
  for (size_t i = 0; i < written.size(); ++i) {
    if (!method.appends(i)) continue;
    const int position = method.writes()[i];
    absl::StatusOr<Array> whole = AppendRows(state[static_cast<size_t>(position)], written[i]);
    if (!whole.ok()) {
      return absl::Status(whole.status().code(),
                          absl::StrCat("method \"", method.name(), "\": ", whole.status().message()));
    }
    appended.emplace_back(position, std::exchange(written[i], *std::move(whole)));
  }
  return appended;
}

Array CopyRows(const Array& array, int64_t first) {
  const Array rows = TakeSlice(array, {{.start = first}}).value();  // A row that it has, or its end.
  return Array::Unchecked(rows.dtype(), rows.shape(), Buffer::Copy(rows.bytes()));
}

}  // namespace stepwell
