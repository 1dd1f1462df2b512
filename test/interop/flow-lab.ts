import { writeFileSync } from 'node:fs';
import type { FlowSummary, FlowsAnswer } from '../../apps/weir/src/api/index.ts';
import { Weir } from '../e2e/weir.ts';
import { type Host, Lab, type Peer, type SessionFamily, startBird, startExabgp, startFrr, startGobgp, waitFor } from '../lab/index.ts';
import { PeerDaemon } from '../lab/peers/daemon.ts';
import { birdRules, exabgpRules, type FlowRoute, gobgpRules } from './flow-rules.ts';

export const FAMILIES: readonly SessionFamily[] = ['ipv4 unicast', 'ipv6 unicast', 'ipv4 flow', 'ipv6 flow'];
export const NEIGHBORS = ['gobgp', 'bird', 'exabgp', 'frr'] as const;
export type NeighborName = (typeof NEIGHBORS)[number];

/** Somebody who announces flow rules. */
export interface Origin {
  /** The neighbour of Weir's from whom they come. */
  readonly via: NeighborName;
  readonly peer: Peer;
  readonly rules: readonly FlowRoute[];
  /** Announces exactly these from now on, also after its next start. */
  set(rules: readonly FlowRoute[]): Promise<void>;
}

/** Weir with GoBGP, BIRD, ExaBGP and FRR, each on a link of its own; FRR reflects what a further BIRD says. */
export interface FlowLab {
  readonly lab: Lab;
  readonly core: Host;
  readonly weir: Weir;
  readonly peers: Readonly<Record<NeighborName, Peer>>;
  readonly origins: readonly Origin[];
}

export function flowConfig(options: { readonly validation?: string; readonly loss?: string } = {}): string {
  const { validation = 'off', loss = 'hold 2m' } = options;
  const peers = NEIGHBORS.map((name, i) => {
    const as = name === 'frr' ? 64512 : 64513 + i;
    return `    - { name: ${name}, address: 192.0.2.${4 * i + 2}, as: ${as}, families: [${FAMILIES.join(', ')}], flow_validation: ${name === 'bird' ? validation : 'off'} }\n`;
  });
  return `bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
${peers.join('')}flowspec:
  guards: [{ peers: [${NEIGHBORS.join(', ')}], actions: [discard, rate, sample, mark, redirect], min_length: { ipv4: 0, ipv6: 0 } }]
  redirects: [{ target: "64513:100", table: 100 }, { target: "192.0.2.10:7", table: 101 }]
  on_session_loss: ${loss}
  announce: { peers: [${NEIGHBORS.join(', ')}] }
convergence: { settle: 500ms, settle_without_restart: 500ms }
`;
}

export async function buildFlowLab(): Promise<FlowLab> {
  const lab = new Lab();
  try {
    return await build(lab);
  } catch (error) {
    process.stderr.write(`${lab.report()}\n`);
    await lab.dispose();
    throw error;
  }
}

async function build(lab: Lab): Promise<FlowLab> {
  const core = await lab.host('core', { forwarding: true });
  const hosts = await Promise.all(NEIGHBORS.map((name) => lab.host(name)));
  for (const [i, name] of NEIGHBORS.entries()) {
    await lab.link(
      { host: core, name, addresses: [`192.0.2.${4 * i + 1}/30`] },
      { host: hosts[i]!, name: 'eth0', addresses: [`192.0.2.${4 * i + 2}/30`] },
    );
  }
  const [onGobgp, onBird, onExabgp, onFrr] = hosts as [Host, Host, Host, Host];
  const behind = await lab.host('behind');
  await lab.link(
    { host: onFrr, name: 'eth1', addresses: ['198.51.100.1/30'] },
    { host: behind, name: 'eth0', addresses: ['198.51.100.2/30'] },
  );
  const commands: string[] = [];
  const flows: string[] = [];
  const weir = { as: 64512, families: FAMILIES };
  const [gobgp, bird, exabgp, frr, origin] = await Promise.all([
    startGobgp(lab, onGobgp, {
      as: 64513,
      routerId: '192.0.2.2',
      extra: commands,
      neighbors: [{ address: '192.0.2.1', ...weir, gracefulRestart: 60 }],
    }),
    startBird(lab, onBird, {
      as: 64514,
      routerId: '192.0.2.6',
      neighbors: [{ address: '192.0.2.5', ...weir, gracefulRestart: 60, nextHopSelf: true }],
    }),
    startExabgp(lab, onExabgp, {
      as: 64515,
      routerId: '192.0.2.10',
      listen: ['192.0.2.10'],
      neighbors: [{ address: '192.0.2.9', ...weir, gracefulRestart: 60, passive: true, extra: flows }],
    }),
    startFrr(lab, onFrr, {
      as: 64512,
      routerId: '192.0.2.14',
      neighbors: ['192.0.2.13', '198.51.100.2'].map((address) => ({ address, ...weir, reflectorClient: true })),
    }),
    startBird(lab, behind, { as: 64512, routerId: '198.51.100.2', neighbors: [{ address: '198.51.100.1', ...weir }] }),
  ]);
  const daemon = new Weir(lab, core, flowConfig());
  await daemon.start();
  await daemon.established(NEIGHBORS.length);
  const origins: readonly Origin[] = [
    { via: 'gobgp', peer: gobgp, rules: gobgpRules('203.0.113.', '2001:db8:a:'), set: setByGobgp(gobgp, commands) },
    { via: 'bird', peer: bird, rules: birdRules('203.0.113.6', '2001:db8:b:', false), set: setByBird(bird) },
    { via: 'exabgp', peer: exabgp, rules: exabgpRules('203.0.113.12', '2001:db8:c:'), set: setByExabgp(exabgp, flows) },
    { via: 'frr', peer: origin, rules: birdRules('198.51.100.19', '2001:db8:d:', true), set: setByBird(origin) },
  ];
  return { lab, core, weir: daemon, peers: { gobgp, bird, exabgp, frr }, origins };
}

function setByBird(peer: Peer): Origin['set'] {
  return async (rules) => {
    if (!(peer instanceof PeerDaemon)) throw new Error('BIRD has no directory');
    for (const kind of ['flow4', 'flow6'])
      writeFileSync(
        `${peer.directory}/${kind}.routes`,
        `${rules
          .map(({ own }) => own)
          .filter((own) => own.startsWith(`route ${kind}`))
          .join('\n')}\n`,
      );
    if (peer.running) await peer.command('configure');
  };
}

function setByGobgp(peer: Peer, commands: string[]): Origin['set'] {
  const line = (verb: string, { own }: FlowRoute): string => own.replace(/^(\S+) /, `global rib -a $1 ${verb} `);
  let before: readonly FlowRoute[] = [];
  return async (rules) => {
    commands.splice(0, commands.length, ...rules.map((rule) => line('add', rule)));
    if (peer instanceof PeerDaemon && peer.running) {
      for (const rule of before) if (!rules.some(({ flow }) => flow === rule.flow)) await peer.command(line('del', rule));
      for (const rule of rules) if (!before.includes(rule)) await peer.command(line('add', rule));
    }
    before = rules;
  };
}

function setByExabgp(peer: Peer, flows: string[]): Origin['set'] {
  let before: readonly FlowRoute[] = [];
  return async (rules) => {
    flows.splice(0, flows.length, 'flow {', ...rules.map(({ own }, i) => `route flow${i} { ${own} }`), '}');
    if (peer instanceof PeerDaemon && peer.running) {
      for (const rule of before)
        if (!rules.some(({ flow }) => flow === rule.flow)) await peer.command(`withdraw flow route { ${rule.own} }`);
      for (const rule of rules) if (!before.includes(rule)) await peer.command(`announce flow route { ${rule.own} }`);
    }
    before = rules;
  };
}

export async function flows(weir: Pick<Weir, 'ask'>): Promise<FlowsAnswer> {
  const answer = await weir.ask((client) => client.call('flows', { limit: 10_000 }));
  if (!answer) throw new Error('no answer');
  return answer;
}

/** What a neighbour announces, as Weir has it: the rule, its actions, what is made of it. */
function said(answer: FlowsAnswer, via: string): readonly Pick<FlowSummary, 'flow' | 'actions' | 'state' | 'stale'>[] {
  return answer.flows.filter(({ peer }) => peer === via).map(({ flow, actions, state, stale }) => ({ flow, actions, state, stale }));
}

/** Waits until Weir has exactly these rules of a neighbour, of now. */
export async function heard(weir: Pick<Weir, 'ask'>, via: string, rules: readonly FlowRoute[], timeoutMs: number = 30_000): Promise<void> {
  const wanted = rules.map(({ flow, actions, state }) => `${flow} ${actions.join()} ${state ?? ''}`).sort();
  let seen: readonly string[] = [];
  await waitFor(
    `the rules of ${via}`,
    async () => {
      seen = said(await flows(weir), via)
        .map(({ flow, actions, state, stale }) => {
          const told = rules.find((rule) => rule.flow === flow)?.state === undefined;
          return `${flow} ${actions.join()} ${told ? '' : state}${stale ? ' stale' : ''}`;
        })
        .sort();
      return seen.join('\n') === wanted.join('\n');
    },
    { timeoutMs, intervalMs: 50 },
  ).catch((error: unknown) => {
    const [missing, beyond] = [wanted.filter((one) => !seen.includes(one)), seen.filter((one) => !wanted.includes(one))];
    throw new Error(`rules of ${via}\nmissing:\n${missing.join('\n')}\nbeyond:\n${beyond.join('\n')}`, { cause: error });
  });
}

/** Of these rules, those that the kernel has: a rule of nf_tables with the beginning of its text for a comment. */
export async function inKernel(core: Host, rules: readonly FlowRoute[]): Promise<readonly string[]> {
  const comments = (await core.nftJson()).map(({ rule }) => String(rule?.['comment'] ?? ''));
  return rules.map(({ flow }) => flow).filter((flow) => comments.some((comment) => comment.startsWith(flow.slice(0, 100))));
}
