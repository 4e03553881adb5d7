// What jemalloc reads before main (docs/adr/2026-11-25-jemalloc.md): it asks the kernel for huge pages.
// Snapshots that stay fill new memory with every step; with pages of 4 KiB, a tenth of a small step went into
// their faults.
extern "C" {
// The name is jemalloc's. NOLINTNEXTLINE(readability-identifier-naming, misc-use-internal-linkage)
extern const char* malloc_conf;
const char* malloc_conf = "thp:always,metadata_thp:auto";
}
