#include "app/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace pipedream::detail {
namespace {

thread_local int log_rank = -1;

class RankFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text = log_rank < 0 ? "-" : std::to_string(log_rank);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override { return std::make_unique<RankFlag>(); }
};

}  // namespace

LoggingScope::LoggingScope(const std::string& level) : former_(spdlog::default_logger()) {
  auto logger = std::make_shared<spdlog::logger>("pipedream", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<RankFlag>('*').set_pattern("[rank %*] %l: %v");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

LoggingScope::~LoggingScope() { spdlog::set_default_logger(former_); }

void set_log_rank(int rank) { log_rank = rank; }

}  // namespace pipedream::detail
