#ifndef STEPWELL_BENCH_MEASURES_H_
#define STEPWELL_BENCH_MEASURES_H_

#include <vector>

#include "bench/measure.h"

namespace stepwell::bench {

// unary.*: Step through gRPC against a raw echo of the same messages.
std::vector<MeasureInfo> UnaryMeasures();

// engine.*: Step in-process against the bare call of ONNX Runtime.
std::vector<MeasureInfo> EngineMeasures();

// stream.*: StepStream against a raw echo of the same messages.
std::vector<MeasureInfo> StreamMeasures();

// versions.*, memory.version: what retained versions cost.
std::vector<MeasureInfo> VersionMeasures();

// batch.*: steps of many states in one BatchStep, in-process, against the same steps one by one. batchstep.*:
// BatchStep over the network against Step with many calls outstanding.
std::vector<MeasureInfo> BatchMeasures();

// growing.*: state that grows, against a bare session that owns its cache, and against the bytes of what was
// appended.
std::vector<MeasureInfo> GrowingMeasures();

// durable.*: Step on a store on disk, synced against a bare log, and not against a store in memory.
std::vector<MeasureInfo> DurableMeasures();

// open.*: starting on a store on disk. cold.*: more state than fits in memory.
std::vector<MeasureInfo> DiskMeasures();

// fetch.*: ReadArrays against a raw stream of the same bytes.
std::vector<MeasureInfo> FetchMeasures();

}  // namespace stepwell::bench

#endif  // STEPWELL_BENCH_MEASURES_H_
