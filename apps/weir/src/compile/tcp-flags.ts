/** Bits of the TCP flags by their fields. */
export const TCP_FLAGS: Readonly<Record<string, number>> = {
  'tcp.flags.fin': 1,
  'tcp.flags.syn': 2,
  'tcp.flags.reset': 4,
  'tcp.flags.push': 8,
  'tcp.flags.ack': 16,
  'tcp.flags.urg': 32,
  'tcp.flags.ecn': 64,
  'tcp.flags.cwr': 128,
};
