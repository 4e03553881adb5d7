#include "stepwell/storage/rocksdb_verify.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "rocksdb/metadata.h"
#include "stepwell/storage/rocksdb_database.h"
#include "stepwell/storage/rocksdb_log_files.h"
#include "stepwell/storage/rocksdb_tables.h"
#include "stepwell/storage/rocksdb_verify_rows.h"

namespace stepwell {
namespace {

void AddProblem(std::string problem, VerifyReport& report) {
  ++report.counts.back().problems;
  report.problems.push_back(std::move(problem));
}

// Which of the files that are appended to are not whole.
void ReportLogs(const LogInspection& inspection, VerifyReport& report) {
  report.counts.push_back({.what = "logs and their like", .checked = inspection.checked});
  for (const std::string& damage : inspection.damages) AddProblem(damage, report);
  for (const LogTail& tail : inspection.torn) {
    report.remarks.push_back(absl::StrCat("\"", tail.path, "\" has ", tail.size - tail.readable,
                                          " bytes behind its last whole record, which were not synced; the "
                                          "next start cuts them off"));
  }
  if (!inspection.knows_synced) {
    report.remarks.push_back("which part of the logs was synced is not known: the file SYNCED is missing");
  }
}

void CheckTables(const std::string& path, rocksdb::Env* env, const RocksDbDatabase& database,
                 VerifyProgress progress, VerifyReport& report) {
  report.counts.push_back({.what = "tables"});
  std::vector<rocksdb::LiveFileMetaData> tables;
  database.db().GetLiveFilesMetaData(&tables);
  for (const rocksdb::LiveFileMetaData& table : tables) {
    const rocksdb::Status checked = CheckTable(absl::StrCat(path, table.name), env);
    if (!checked.ok()) AddProblem(absl::StrCat("a table is damaged: ", checked.ToString()), report);
    progress("tables", ++report.counts.back().checked);
  }
}

}  // namespace

absl::StatusOr<VerifyReport> VerifyRocksDbStore(const std::string& path, rocksdb::Env* env,
                                                VerifyProgress progress) {
  // It stays locked until the end.
  absl::StatusOr<std::unique_ptr<RocksDbDirectory>> directory = RocksDbDirectory::OpenForReading(path, env);
  if (!directory.ok()) return directory.status();
  const absl::StatusOr<LogInspection> inspection = InspectLogs(path, env);
  if (!inspection.ok()) return inspection.status();
  VerifyReport report;
  ReportLogs(*inspection, report);
  const absl::StatusOr<std::unique_ptr<RocksDbDatabase>> database =
      RocksDbDatabase::OpenForReading(*std::move(directory), path, env);
  if (!database.ok()) {
    if (report.problems.empty()) return database.status();
    AddProblem(std::string(database.status().message()), report);
    return report;
  }
  CheckTables(path, env, **database, progress, report);
  RowsVerifier(database->get(), &report, progress).CheckAll();
  return report;
}

}  // namespace stepwell
