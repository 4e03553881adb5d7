#include "stepwell/storage/array_chains.h"

#include <algorithm>

namespace stepwell {

const ArrayChain* ArrayChains::Find(int position) const {
  if (chains_ == nullptr) return nullptr;
  const auto found = std::ranges::find(*chains_, position, &ArrayChain::position);
  return found == chains_->end() ? nullptr : &*found;
}

void ArrayChains::Append(int position, Version before) {
  if (chains_ == nullptr) chains_ = std::make_unique<Chains>();
  const auto found = std::ranges::find(*chains_, position, &ArrayChain::position);
  if (found == chains_->end()) {
    chains_->push_back({.position = position, .first = before, .previous = before});
  } else {
    found->previous = before;
  }
}

void ArrayChains::Erase(int position) {
  if (chains_ == nullptr) return;
  const auto found = std::ranges::find(*chains_, position, &ArrayChain::position);
  if (found != chains_->end()) chains_->erase(found);
  if (chains_->empty()) chains_.reset();
}

}  // namespace stepwell
