import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { memoryIo } from '../../apps/weir/src/cli/memory-io.ts';
import { runProgram } from '../../apps/weir/src/cli/program.ts';
import { waitFor } from '../lab/index.ts';
import { arrive, buildFlowScene, type FlowScene, flowsOf, VICTIM } from './flow-scene.ts';
import { Weir } from './weir.ts';

const HEAD = `bgp:
  as: 64512
  router_id: 192.0.2.2
  peers:
    - { name: controller, address: 192.0.2.1, as: 64513, families: [ipv4 unicast, ipv4 flow, ipv6 flow], flow_validation: off }
`;
const flowspec = (guard: string, more = ''): string => `${HEAD}flowspec:
  guards:
    - { peers: [controller], actions: [discard, rate, sample, mark], ${guard} }
  protected: [203.0.113.1/32]
  announce: { peers: [controller], max_rules: 2 }
${more}`;
const NTP = `flow4 { dst ${VICTIM}/32; proto 17; sport 123; }`;
const NTP_WORDS = ['match', 'destination', `${VICTIM}/32`, 'protocol', 'udp', 'source-port', '==123', 'then', 'discard'];
const RATE_WORDS = ['match', 'destination', '203.0.113.0/24', 'protocol', 'tcp', 'then', 'rate-limit', '1000000'];

async function announce(scene: FlowScene, words: readonly string[], change: 'add' | 'del' = 'add'): Promise<void> {
  await scene.gobgp('global', 'rib', '-a', 'ipv4-flowspec', change, ...words);
}

/** A command of the program, which finds the daemon by its socket. */
async function command(
  weir: Weir,
  args: readonly string[],
  env: { readonly [name: string]: string } = {},
): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo({ env });
  const code = await runProgram([...args, '--socket', weir.socket], io, {});
  return { code, out: io.stdout, err: io.stderr };
}

async function run(weir: Weir, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await command(weir, args);
  expect([args.join(' '), code, err]).toEqual([args.join(' '), 0, expect.any(String)]);
  return out;
}

/** What a command says that must not succeed. */
async function fails(weir: Weir, ...args: readonly string[]): Promise<string> {
  const { code, err } = await command(weir, args);
  expect(code).toBe(1);
  return err;
}

test('an operator sees the flow rules in force, why, what they count, and what a change makes of them', async () => {
  const scene = await buildFlowScene();
  const weir = new Weir(scene.lab, scene.border, flowspec(''));
  await weir.start();
  await weir.established(1);
  await announce(scene, NTP_WORDS);
  await announce(scene, RATE_WORDS);
  await announce(scene, ['match', 'destination', '203.0.0.0/16', 'then', 'discard']);
  await waitFor('the attack to be stopped', async () => (await arrive(scene, 123)) === 0);
  await waitFor('all three', async () => (await flowsOf(weir)).total === 3);

  const attack = ['udp', '198.51.100.1:123', `${VICTIM}:9`, 'in', 'out', 'out', 'in'];
  const explained = await run(weir, 'explain', ...attack, '--expect', 'deny');
  expect(explained).toContain(`DENY BY ${NTP}`);
  expect(explained).toMatch(/discard, from controller via AS 64513 with \S+ for /);
  const passes = JSON.parse(await run(weir, 'explain', 'udp', '198.51.100.1:53', `${VICTIM}:9`, 'in', 'out', '-o', 'json'));
  expect(passes.packets[0].verdict).toBe('allow');
  const limited = await run(weir, 'explain', 'tcp', '198.51.100.1:5000', `${VICTIM}:80`, 'in', 'out', '--expect', 'allow');
  expect(limited).toContain('police 1000000 bytes/s');
  expect(limited).toContain('the packet is taken to be under it');
  expect(await run(weir, 'explain', 'udp', '198.51.100.1:123', '203.0.113.1:9', 'in', 'out')).toContain('+ protected from flow rules');

  const rules = await run(weir, 'rules');
  expect(rules).toMatch(/flow4 \{ dst 203\.0\.113\.7\/32; proto 17; sport 123; \} deny; \d+ packets, \d+ bytes \(from controller\)/);
  const { hooks } = JSON.parse(await run(weir, 'rules', '--hook', 'prerouting', '-o', 'json'));
  const [discard] = hooks[0].rules.filter((rule: { flow?: { flow: string } }) => rule.flow?.flow === NTP);
  expect(discard).toMatchObject({ action: 'deny', flow: { peer: 'controller', as_path: [64513] } });
  // 20 datagrams of 428 octets each time.
  expect(discard.packets).toBeGreaterThanOrEqual(20);
  expect(discard.bytes).toBe(discard.packets * 428);
  const shown = await run(weir, 'flow', 'show');
  expect(shown).toMatch(/discard; enforced\n {2}from controller via AS 64513 with \S+ for .*\n {2}\d+ packets, \d+ bytes\n/);
  expect(shown).toContain('refused (length): its destination 203.0.0.0/16, of 24 bits at least is allowed');
  expect(await run(weir, 'status')).toMatch(/^flows +2 rules enforced at prerouting; refused: 1 length$/m);
  expect((await weir.status()).flows).toEqual({
    at: 'prerouting',
    enforced: 2,
    waiting: 0,
    stale: 0,
    refused: { length: 1 },
    announced: 0,
  });

  // A change of the guard: planned, put into force, and as it was planned.
  weir.configure(flowspec('destinations: [203.0.113.0/28], min_length: { ipv4: 32 }'));
  const plan = await run(weir, 'plan');
  expect(plan).toContain('flowspec.guards changed');
  expect(plan).toMatch(/- flow4 \{ dst 203\.0\.113\.0\/24; proto 6; \} \S.* from controller: enforced -> refused \(length\)/);
  expect(plan).not.toContain(`- ${NTP}`);
  expect(plan).toContain('2 flow rules enforced then, 1 now');
  expect(await run(weir, 'apply')).toContain('flow rules: 1 enforced no more; 1 in force');
  expect((await flowsOf(weir)).flows.map(({ state, refused }) => refused?.reason ?? state)).toEqual(['enforced', 'length', 'length']);
  expect(await arrive(scene, 123)).toBe(0);

  // What protects the operator's session from a rule in force goes: refused, until it is asked for.
  await announce(scene, ['match', 'destination', '203.0.113.1/32', 'then', 'discard']);
  await waitFor('the rule about the host', async () => (await flowsOf(weir)).total === 4);
  weir.configure(flowspec('').replace('  protected: [203.0.113.1/32]\n', ''));
  const locked = await command(weir, ['apply'], { SSH_CONNECTION: '198.51.100.1 40000 203.0.113.1 22' });
  expect([locked.code, locked.err]).toEqual([1, expect.stringContaining('would be denied by prerouting flow4 { dst 203.0.113.1/32; }')]);
});

test('rules of our own are bounded, expire, and are told again after a restart', async () => {
  const scene = await buildFlowScene();
  const weir = new Weir(scene.lab, scene.border, flowspec(''));
  await weir.start();
  await weir.established(1);
  const heard = async (): Promise<string> =>
    (await scene.controller.exec('gobgp', ['-p', '50052', 'global', 'rib', '-a', 'ipv4-flowspec'])).stdout;
  const rule = (last: number): string => `flow4 { dst 203.0.113.${last}/32; proto 17; }`;
  await run(weir, 'flow', 'add', rule(9), '--rate-bytes', '1000', '--until', '1h', '--comment', 'for an hour');
  await run(weir, 'flow', 'add', rule(10), '--discard', '--until', new Date(Date.now() + 25_000).toISOString());
  expect(await fails(weir, 'flow', 'add', rule(11), '--discard')).toContain('2 flow rules are announced (flowspec.announce.max_rules)');
  expect(await fails(weir, 'flow', 'add', rule(9), '--discard', '--until', '2020-01-01T00:00:00Z')).toContain('its time is over already');
  await waitFor('both to be heard', async () => /203\.0\.113\.9\/32/.test(await heard()) && /203\.0\.113\.10\/32/.test(await heard()));
  await weir.kill();
  await weir.start();
  await waitFor('the longer one to be heard again', async () => /203\.0\.113\.9\/32/.test(await heard()));
  await waitFor('the shorter one to go', async () => !/203\.0\.113\.10\/32/.test(await heard()), { timeoutMs: 60_000 });
  expect(await run(weir, 'flow', 'show')).toMatch(
    /announced: flow4 \{ dst 203\.0\.113\.9\/32; proto 17; \} rate-bytes 1000; told to controller; until \S+; by uid 0, pid \d+; \(for an hour\)/,
  );
  expect((await weir.status()).flows).toMatchObject({ announced: 1 });
  await run(weir, 'flow', 'delete', rule(9));
  await waitFor('it to go as well', async () => !/203\.0\.113\.9\/32/.test(await heard()));
});

test('flow rules of a controller come into the ACL file of a switch, and go out of it', async () => {
  const scene = await buildFlowScene();
  const directory = scene.lab.directory('acl');
  mkdirSync(`${directory}/policy.d`);
  writeFileSync(
    `${directory}/policy.yaml`,
    'default_action: allow\nrules:\n  - { name: telnet, hook: forward, protocol: tcp, destination_ports: 23, action: deny }\n',
  );
  const cumulus = `cumulus: { in_interfaces: ["swp*"], directory: ${directory}/policy.d, matches: iptables, batch: 50ms, commit: ["true"] }
policy: ${directory}/policy.yaml
`;
  const weir = new Weir(scene.lab, scene.border, flowspec('', cumulus));
  await weir.start();
  await weir.established(1);
  const file = async (): Promise<string> => {
    const { cumulus: status } = await weir.status();
    return status?.written === undefined ? '' : readFileSync(status.file, 'utf8');
  };
  const line = `-t mangle -A PREROUTING --in-interface swp+ -d ${VICTIM}/32 -p udp -m multiport --sports 123 -j DROP`;
  await waitFor('the file', async () => (await file()).includes('--dports 23'));
  expect(await file()).not.toContain('PREROUTING');
  await announce(scene, NTP_WORDS);
  await waitFor('the rule in the file', async () => (await file()).includes(line));
  // A rate of octets cannot be said there: it is left out, and the rest stays.
  await announce(scene, RATE_WORDS);
  await waitFor('both rules', async () => (await flowsOf(weir)).total === 2);
  await waitFor('the file to be settled', async () => (await weir.status()).cumulus?.pending === false);
  expect(await file()).toContain(line);
  expect(await file()).not.toContain('203.0.113.0/24');
  const [v4 = ''] = (await file()).split('[ip6tables]');
  const text = (v4.match(/^-t mangle .*$/gm) ?? []).map((one) => one.replace('-t mangle ', ''));
  await scene.border.exec('sh', ['-c', `printf '%s\\n' "$1" | iptables-restore --test`, 'sh', ['*mangle', ...text, 'COMMIT'].join('\n')]);
  await announce(scene, NTP_WORDS, 'del');
  await waitFor('it to go', async () => !(await file()).includes(VICTIM));
});
