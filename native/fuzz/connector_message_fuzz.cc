#include <cstdlib>

#include "events/connector_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  procmuster::ConnectorMessage message;
  if (!procmuster::ParseConnectorMessage(data, size, &message)) return 0;
  bool of_process = message.kind != procmuster::ConnectorMessage::kOther &&
                    message.kind != procmuster::ConnectorMessage::kAcknowledged;
  if (of_process && (message.pid <= 0 || message.tid <= 0)) abort();
  return 0;
}
