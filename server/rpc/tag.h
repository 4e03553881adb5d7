#ifndef STEPWELL_SERVER_RPC_TAG_H_
#define STEPWELL_SERVER_RPC_TAG_H_

namespace stepwell::server {

// What the completion queue hands back when an operation has ended.
class Tag {
 public:
  virtual void Proceed(bool ok) = 0;

 protected:
  ~Tag() = default;
};

// A tag that calls one member function of the object it is a member of.
template <typename T, void (T::*kMethod)(bool)>
class MemberTag final : public Tag {
 public:
  explicit MemberTag(T* owner) : owner_(owner) {}
  void Proceed(bool ok) override { (owner_->*kMethod)(ok); }

 private:
  T* const owner_;
};

}  // namespace stepwell::server

#endif  // STEPWELL_SERVER_RPC_TAG_H_
