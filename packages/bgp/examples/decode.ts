// Makes an UPDATE, decodes it, damages it, and shows what RFC 7606 makes of it:
//   node --conditions=source --import tsx packages/bgp/examples/decode.ts
import { decodeMessage, describeMessage, encodeUpdate, nlriRun, prefixAt, sessionContext } from '@weir/bgp/codec';
import { asn, ip4, prefix, printIp, printPrefix } from '@weir/wire/inet';

const context = sessionContext({ peerKind: 'ebgp', localAs: asn(64512), peerAs: asn(64513) });
const run = nlriRun('ipv4 unicast', [prefix('203.0.113.7/32'), prefix('198.51.100.0/24')]);
const attributes = { origin: 'igp', asPath: [{ kind: 'sequence', asns: [asn(64513)] }], communities: [0xfc000050] } as const;

for (const bytes of encodeUpdate({ attributes, announce: [{ nextHop: { address: ip4(0xc0000201) }, run }] }, context)) {
  const message = decodeMessage(bytes, context);
  if (message.kind !== 'update') continue;
  for (const { nextHop, run: routes } of message.announce) {
    for (let i = 0; i < routes.count; i++) console.log(printPrefix(prefixAt(routes, i)), 'via', nextHop && printIp(nextHop.address));
  }
  bytes[26] = 7;
  console.log(JSON.stringify(describeMessage(bytes, context), null, 2));
}
