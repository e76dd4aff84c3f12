// A device "far" for torch whose memory is the processor's. As on a GPU, an operation takes only tensors of the device.
// Whatever would make a program wait for a GPU is counted: copies between host and device, and numbers that are read.

#define AT_PER_OPERATOR_HEADERS  // those of all operators take the compiler three seconds
#include <ATen/core/Tensor.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/native_batch_norm.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/library.h>

#include <cstring>
#include <map>
#include <string>

namespace {

using at::IntArrayRef, at::Tensor, c10::SymIntArrayRef, std::optional;
constexpr auto kFar = at::DeviceType::PrivateUse1;

std::map<std::string, int64_t> counts;
thread_local int depth = 0;  // > 0 inside an operation: its internal copies are not counted, a GPU would not make them
struct Inside {
  Inside() { ++depth; }
  ~Inside() { --depth; }
};

struct Allocator final : at::Allocator {
  at::DataPtr allocate(size_t bytes) override {
    void* memory = c10::alloc_cpu(bytes);
    return {memory, memory, &c10::free_cpu, at::Device(kFar, 0)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &c10::free_cpu; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};
Allocator allocator;
REGISTER_ALLOCATOR(kFar, &allocator);

struct Guard final : c10::impl::DeviceGuardImplInterface {
  Guard() = default;
  explicit Guard(c10::DeviceType) {}
  at::DeviceType type() const override { return kFar; }
  at::Device getDevice() const override { return {kFar, 0}; }
  at::Device exchangeDevice(at::Device device) const override { return device; }
  void setDevice(at::Device) const override {}
  void uncheckedSetDevice(at::Device) const noexcept override {}
  at::Stream getStream(at::Device device) const override { return at::Stream(at::Stream::DEFAULT, device); }
  at::Stream exchangeStream(at::Stream stream) const override { return stream; }
  at::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const at::Stream&, at::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const at::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, at::DeviceIndex) const noexcept override {}
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

struct Hooks final : at::PrivateUse1HooksInterface {
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  at::DeviceIndex deviceCount() const override { return 1; }
  bool isPinnedPtr(const void*) const override { return false; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    return at::detail::getDefaultCPUGenerator();
  }
  at::Generator getNewGenerator(c10::DeviceIndex) const override { return at::detail::createCPUGenerator(); }
};
const bool hooked = (at::RegisterPrivateUse1HooksInterface(new Hooks()), true);

bool is_far(const Tensor& x) { return x.defined() && x.device().type() == kFar; }

Tensor near(const Tensor& x) {  // the same memory, seen as a CPU tensor
  if (!is_far(x)) return x;
  at::DataPtr memory(x.storage().mutable_data(), at::Device(at::kCPU));
  c10::Storage storage(c10::Storage::use_byte_size_t(), x.storage().nbytes(), std::move(memory), nullptr, false);
  auto y = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CPU), x.dtype());
  y.unsafeGetTensorImpl()->set_sizes_and_strides(x.sizes(), x.strides(), x.storage_offset());
  return y;
}

Tensor far(const Tensor& x) {
  if (!x.defined()) return x;
  auto y = at::empty_strided(x.sizes(), x.strides(), x.options().device(kFar));
  near(y).copy_(x);
  return y;
}

optional<Tensor> near(const optional<Tensor>& x) { return x ? optional<Tensor>(near(*x)) : x; }

Tensor empty(IntArrayRef shape, optional<at::ScalarType> dtype, optional<at::Layout>, optional<at::Device>,
             optional<bool>, optional<at::MemoryFormat> format) {
  c10::DispatchKeySet key(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_generic(shape, &allocator, key, c10::dtype_or_default(dtype), format);
}

Tensor empty_strided(IntArrayRef shape, IntArrayRef strides, optional<at::ScalarType> dtype, optional<at::Layout>,
                     optional<at::Device>, optional<bool>) {
  c10::DispatchKeySet key(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_strided_generic(shape, strides, &allocator, key, c10::dtype_or_default(dtype));
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool) {
  if (!depth && is_far(from) != is_far(to)) counts[is_far(to) ? "to the device" : "to the host"]++;
  near(to).copy_(near(from));
  return to;
}

const Tensor& resized(const Tensor& x, IntArrayRef shape, optional<at::MemoryFormat> format) {
  if (x.sizes() == shape) return x;
  auto fresh = empty(shape, x.scalar_type(), {}, {}, {}, format);
  x.unsafeGetTensorImpl()->set_storage_keep_dtype(fresh.storage());
  x.unsafeGetTensorImpl()->set_sizes_and_strides(fresh.sizes(), fresh.strides(), 0);
  return x;
}

Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  return copy_from(from, resized(to, from.sizes(), {}), false);
}

at::Scalar number(const Tensor& x) {
  counts["looked at"]++;
  return at::_local_scalar_dense(near(x));
}

Tensor convolution(const Tensor& x, const Tensor& weight, const optional<Tensor>& bias, SymIntArrayRef stride,
                   SymIntArrayRef padding, SymIntArrayRef dilation, bool transposed, SymIntArrayRef more,
                   c10::SymInt groups) {
  return far(at::convolution_symint(near(x), near(weight), near(bias), stride, padding, dilation, transposed, more,
                                    groups));
}

std::tuple<Tensor, Tensor, Tensor> convolution_backward(
    const Tensor& slope, const Tensor& x, const Tensor& weight, SymIntArrayRef stride, SymIntArrayRef padding,
    SymIntArrayRef dilation, bool transposed, SymIntArrayRef more, c10::SymInt groups, std::array<bool, 3> mask) {
  auto [of_x, of_weight, of_bias] =
      at::convolution_backward_symint(near(slope), near(x), near(weight), c10::SymIntArrayRef({weight.sym_size(0)}),
                                      stride, padding, dilation, transposed, more, groups, mask);
  return {far(of_x), far(of_weight), far(of_bias)};
}

std::tuple<Tensor, Tensor, Tensor> batch_norm(const Tensor& x, const optional<Tensor>& weight,
                                              const optional<Tensor>& bias, const optional<Tensor>& mean,
                                              const optional<Tensor>& variance, bool training, double momentum,
                                              double eps) {  // updates the running statistics in place, which its schema does not declare
  auto [y, of_mean, of_variance] = at::native_batch_norm(near(x), near(weight), near(bias), near(mean), near(variance),
                                                         training, momentum, eps);
  return {far(y), far(of_mean), far(of_variance)};
}

template <typename Visitor>
void visit(const c10::ArrayRef<c10::IValue> values, Visitor visitor) {
  for (const auto& value : values) {
    if (value.isTensor()) visitor(value.toTensor());
    if (value.isTensorList())
      for (const Tensor& x : value.toTensorVector()) visitor(x);
    if (value.isOptionalTensorList())
      for (const optional<Tensor>& x : value.toOptionalTensorVector()) visitor(x.value_or(Tensor()));
  }
}

void operate(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& name = op.schema().name();
  const bool indexes = name == "aten::index" || name == "aten::index_put_" || name == "aten::_index_put_impl_";
  bool any = false;
  const auto arguments = torch::jit::last(*stack, op.schema().arguments().size());
  visit(arguments, [&](const Tensor& x) { any |= is_far(x); });
  visit(arguments, [&](const Tensor& x) {
    if (!any || !x.defined() || is_far(x) || !x.dim()) return;
    TORCH_CHECK(indexes, "Expected all tensors to be on the same device, but ", name, " got one of the host");
    counts["index from the host"]++;
  });
  for (const char* waits : {"nonzero", "masked_select", "equal", "_unique2", "bincount"})
    if (name == std::string("aten::") + waits) counts[waits]++;
  Inside inside;
  at::native::cpu_fallback(op, stack);
}

Tensor alias(const Tensor& x) { return at::native::as_strided_tensorimpl(x, x.sizes(), x.strides(), x.storage_offset()); }

Tensor reshape_alias(const Tensor& x, IntArrayRef shape, IntArrayRef strides) {
  return at::native::as_strided_tensorimpl(x, shape, strides, x.storage_offset());
}

Tensor& set_storage(Tensor& x, at::Storage storage) {
  const auto length = static_cast<int64_t>(storage.nbytes() / x.dtype().itemsize());
  return at::native::set_storage_cpu_(x, std::move(storage), 0, {length}, {});
}

c10::Dict<std::string, int64_t> taken() {
  c10::Dict<std::string, int64_t> all;
  for (const auto& [what, times] : counts) all.insert(what, times);
  counts.clear();
  return all;
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("_copy_from", copy_from);
  m.impl("_copy_from_and_resize", copy_from_and_resize);
  m.impl("resize_", resized);
  m.impl("_local_scalar_dense", number);
  m.impl("convolution_overrideable", convolution);
  m.impl("convolution_backward_overrideable", convolution_backward);
  m.impl("native_batch_norm", batch_norm);
  m.impl("view", at::native::view);
  m.impl("as_strided", at::native::as_strided_tensorimpl);
  m.impl("alias", alias);
  m.impl("_reshape_alias", reshape_alias);
  m.impl("unfold", at::native::unfold);
  m.impl("set_.source_Storage", set_storage);
  m.impl("set_.source_Storage_storage_offset", at::native::set_storage_cpu_);
}
TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&operate>()); }
TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, m) { m.fallback(torch::CppFunction::makeFallthrough()); }
TORCH_LIBRARY(far, m) { m.def("taken() -> Dict(str, int)", taken); }
