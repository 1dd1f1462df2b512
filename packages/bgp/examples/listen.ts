// Prints what a BGP neighbour announces:
//   node --conditions=source --import tsx packages/bgp/examples/listen.ts OUR-AS ROUTER-ID NEIGHBOUR-ADDRESS NEIGHBOUR-AS [PORT]
import { describeNotification, prefixAt, printCommunity } from '@weir/bgp/codec';
import { BgpSpeaker, type SessionEvent } from '@weir/bgp/session';
import { parseAsn, parseIp, printIp, printPrefix } from '@weir/wire/inet';

const [as = '', id = '', neighbour = '', neighbourAs = '', port = '179'] = process.argv.slice(2);
const localAs = parseAsn(as);
const routerId = parseIp(id);
const address = parseIp(neighbour);
const peerAs = parseAsn(neighbourAs);
if (localAs === undefined || !routerId || !address || peerAs === undefined) {
  console.error('usage: listen.ts OUR-AS ROUTER-ID NEIGHBOUR-ADDRESS NEIGHBOUR-AS [PORT]');
  process.exit(64);
}

function print(event: SessionEvent): void {
  switch (event.kind) {
    case 'state':
      console.log(`${event.peer}: ${event.from} -> ${event.to}`);
      return;
    case 'update': {
      const { update } = event;
      const communities = (update.attributes.communities ?? []).map(printCommunity).join(' ');
      for (const run of update.withdraw) for (let i = 0; i < run.count; i++) console.log(`- ${printPrefix(prefixAt(run, i))}`);
      for (const { run, nextHop } of update.announce) {
        const via = nextHop ? ` via ${printIp(nextHop.address)}` : '';
        for (let i = 0; i < run.count; i++) console.log(`+ ${printPrefix(prefixAt(run, i))}${via} ${communities}`);
      }
      if (update.endOfRib) console.log(`${event.peer}: that was all of ${update.endOfRib}`);
      return;
    }
    case 'down':
    case 'attempt-failed':
      console.log(`${event.peer}: ${event.reason} ${event.notification ? describeNotification(event.notification) : (event.detail ?? '')}`);
      return;
    default:
      return;
  }
}

const speaker = new BgpSpeaker(
  {
    localAs,
    routerId,
    peers: [{ name: neighbour, address, port: Number(port), peerAs, families: ['ipv4 unicast', 'ipv6 unicast'] }],
  },
  print,
);
speaker.start();
process.once('SIGINT', () => void speaker.close({ message: 'bye' }));
