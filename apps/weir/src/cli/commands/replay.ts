import { createReadStream } from 'node:fs';
import { type ConnectionState, Packet, type PacketContext } from '@weir/filter/packet';
import { DecodeError } from '@weir/wire/bytes';
import type { CapturedFrame, CaptureProblem } from '@weir/wire/capture';
import { describeRefusal } from '../../compile/refusal.ts';
import { MAX_SHOTS, type ReplayHook } from '../../kernel/replay/index.ts';
import { isEbpfHook } from '../../model/ebpf.ts';
import type { HookRules } from '../../model/rule.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import { loadRulesAndSets } from '../explain/load-rules.ts';
import type { Io } from '../io.ts';
import type { Palette } from '../render/paint.ts';
import { type AtHook, HookView, type NotJudged } from '../replay/at-hook.ts';
import { type CompiledHook, compileHook } from '../replay/compile-hook.ts';
import { EbpfEngine } from '../replay/ebpf-engine.ts';
import { interpret, reasons, withState } from '../replay/interpret.ts';
import { KernelEngine } from '../replay/kernel-engine.ts';
import { LiveEngine } from '../replay/live-engine.ts';
import { type Outcome, sameOutcome } from '../replay/outcome.ts';
import { missingCapabilities } from '../replay/privileges.ts';
import { type Difference, type Replayed, renderJson, renderText } from '../replay/render.ts';
import { streamFrames } from '../replay/stream-frames.ts';
import { Summary } from '../replay/summary.ts';

/** What judges: by sending packets through nf_tables, by running an eBPF program over them, or by neither. */
export type ReplayEngine = 'interpreter' | 'nft' | 'ebpf';

export interface ReplayOptions {
  /** A capture file; `-` is standard input. */
  readonly pcap: string;
  /** At xdp and tc there is no nf_tables. */
  readonly hook: ReplayHook | 'xdp' | 'tc' | undefined;
  readonly iif: string | undefined;
  readonly oif: string | undefined;
  /** Of every packet; undefined: new to the interpreter, and what connection tracking says in the kernel. */
  readonly state: ConnectionState | undefined;
  readonly engine: ReplayEngine;
  /** Of eBPF: packets are sent to a program that is attached. */
  readonly live: boolean;
  readonly compare: boolean;
  /** Packets to look at. */
  readonly limit: number | undefined;
  readonly output: 'text' | 'json';
  readonly config: string | undefined;
  readonly tenant?: string | undefined;
  readonly palette: Palette;
  /** Of messages. */
  readonly errPalette: Palette;
}

/** Octets that are read at a time. */
const READ = 1 << 20;
/** Octets of packets that are judged together. */
const BATCH_OCTETS = 1 << 20;
/** What a kernel says that lacks something, or that does not let this process do it: also where /proc/sys cannot be written. */
const LACKING: ReadonlySet<string> = new Set([
  'EPERM',
  'EACCES',
  'EROFS',
  'ENOENT',
  'ENOSYS',
  'EOPNOTSUPP',
  'EAFNOSUPPORT',
  'EPROTONOSUPPORT',
]);
/** Printable ASCII, but for what the kernel does not take or replaces. */
const INTERFACE = /^(?!\.)[!-~]{1,15}(?<![/:%].*)$/;
/** Interfaces that no rule is likely to name. */
const INTERFACES = { iif: 'replay-in', oif: 'replay-out' } as const;

/** Judges every packet of a capture by the rules of one hook: by the interpreter, by the kernel, or by both. */
export async function replay(files: readonly string[], options: ReplayOptions, io: Io): Promise<ExitCode> {
  const { hooks, sets } = loadRulesAndSets(files, options.config, io, options.errPalette, options.tenant);
  const hook = chooseHook(hooks, options.hook);
  const programs = isEbpfHook(hook.hook);
  if (hook.hook === 'connect')
    throw new CliError(EXIT.usage, 'at connect there are no packets to replay: weir explain --hook connect judges one question');
  if (programs && options.engine === 'nft') throw new CliError(EXIT.usage, `nf_tables has no hook ${hook.hook}: --engine ebpf`);
  if (programs && options.compare && options.engine === 'interpreter') return replay(files, { ...options, engine: 'ebpf' }, io);
  const kernel = options.engine === 'nft' || (options.compare && options.engine === 'interpreter');
  if (kernel && options.state !== undefined)
    throw new CliError(
      EXIT.usage,
      '--state is for the interpreter and for eBPF: in nf_tables connection tracking says the state of each packet',
    );
  if (options.live && options.engine !== 'ebpf') throw new CliError(EXIT.usage, '--live goes with --engine ebpf');
  const context = contextOf(options, hook, kernel);
  if (kernel || options.live) checkPrivileges();
  if (sets.length > 0) io.err('sets that routes fill are empty in a replay\n');
  const compiled = programs ? undefined : compileHook(hook, sets);
  const problems = (kernel && compiled?.problems) || [];
  if (problems.length > 0) throw new CliError(EXIT.finding, 'nf_tables cannot do what the policy says', problems.map(describeRefusal));
  const engine =
    kernel && compiled
      ? openEngine(
          () => new KernelEngine(hook, compiled, { hook: hook.hook as ReplayHook, iif: context.iif ?? '', oif: context.oif ?? '' }),
        )
      : options.engine === 'ebpf'
        ? openEngine(() => openPrograms(hook, context, options.live))
        : undefined;
  try {
    return await new Replay(hook, compiled?.assembles ?? NEVER, engine, context, options, io).run();
  } catch (error) {
    if (error instanceof DecodeError) throw new CliError(EXIT.finding, `${options.pcap} is no capture: ${error.message}`);
    throw error;
  } finally {
    engine?.close();
  }
}

/** Nothing is put together before eBPF programs. */
const NEVER: CompiledHook['assembles'] = { 4: false, 6: false };

function chooseHook(hooks: readonly HookRules[], wanted: ReplayOptions['hook']): HookRules {
  const names = hooks.map((one) => one.hook).join(', ');
  const found =
    hooks.find((one) => one.hook === (wanted ?? 'input')) ?? (wanted === undefined && hooks.length === 1 ? hooks[0] : undefined);
  if (found) return found;
  if (hooks.length === 0) throw new CliError(EXIT.usage, 'nothing is judged at any hook');
  throw new CliError(
    EXIT.usage,
    wanted === undefined ? `--hook is needed: there are rules at ${names}` : `no rules at ${wanted}, but at ${names}`,
  );
}

function openPrograms(hook: HookRules, context: PacketContext, live: boolean): Engine {
  const there = atHookContext(context, hook);
  return live ? new LiveEngine(hook, there, { iif: context.iif ?? '', oif: context.oif ?? '' }) : new EbpfEngine(hook, there);
}

function contextOf(options: ReplayOptions, { hook }: HookRules, kernel: boolean): PacketContext {
  const { iif = INTERFACES.iif, oif = INTERFACES.oif, state = 'new', live } = options;
  if (kernel || live) {
    for (const name of [iif, oif])
      if (!INTERFACE.test(name) || name === 'lo')
        throw new CliError(EXIT.usage, `an interface of a network namespace cannot be made with the name ${JSON.stringify(name)}`);
    if (iif === oif) throw new CliError(EXIT.usage, '--iif and --oif are two interfaces');
  }
  if (hook === 'tc' && !live && options.iif === undefined && options.oif !== undefined) return { oif, state };
  return { iif, oif, state, ...(kernel ? { uid: process.geteuid?.() } : {}) };
}

function checkPrivileges(): void {
  const missing = missingCapabilities();
  if (missing.length > 0)
    throw new CliError(EXIT.unsupported, `to send packets through the kernel the process needs ${missing.join(', ')}: run it as root`);
}

/** Judges packets that have come to the hook. */
interface Engine {
  judge(packets: readonly AtHook[]): readonly Outcome[];
  close(): void;
}

function openEngine(open: () => Engine): Engine {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || !LACKING.has(String(error.code))) throw error;
    throw new CliError(EXIT.unsupported, `packets cannot be judged by the kernel here: ${error.message}`);
  }
}

/** A packet that waits to be judged with others. */
interface Entry {
  readonly number: number;
  readonly time: number;
  readonly captured: Packet;
  readonly there: AtHook | NotJudged;
}

class Replay {
  readonly #hook: HookRules;
  readonly #engine: Engine | undefined;
  readonly #options: ReplayOptions;
  readonly #context: PacketContext;
  readonly #io: Io;
  readonly #view: HookView;
  readonly #summary = new Summary();
  #batch: Entry[] = [];
  #octets = 0;
  #broken = false;

  constructor(
    hook: HookRules,
    assembles: CompiledHook['assembles'],
    engine: Engine | undefined,
    context: PacketContext,
    options: ReplayOptions,
    io: Io,
  ) {
    this.#hook = hook;
    this.#engine = engine;
    this.#options = options;
    this.#io = io;
    this.#context = atHookContext(context, hook);
    this.#view = new HookView({ hook: hook.hook, context: this.#context, assembles });
  }

  async run(): Promise<ExitCode> {
    const { pcap, limit = Number.POSITIVE_INFINITY } = this.#options;
    const started = performance.now();
    let number = 0;
    for await (const item of streamFrames(this.#source(pcap))) {
      if (item.kind === 'problem') this.#problem(item);
      else {
        if (number >= limit) break;
        this.#push(++number, item);
        if (this.#batch.length >= MAX_SHOTS || this.#octets >= BATCH_OCTETS) await this.#flush();
      }
      if (this.#io.signal.aborted) break;
    }
    await this.#flush();
    const seconds = (performance.now() - started) / 1000;
    this.#io.err(this.#summary.print(seconds));
    const { differences } = this.#summary;
    if (this.#options.compare)
      this.#io.err(`${differences} difference${differences === 1 ? '' : 's'} between the kernel and the interpreter\n`);
    if (this.#io.signal.aborted) return EXIT.interrupted;
    return this.#summary.differences > 0 || this.#broken ? EXIT.finding : EXIT.ok;
  }

  async *#source(file: string): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of file === '-' ? this.#io.stdin : createReadStream(file, { highWaterMark: READ })) {
        yield chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk));
      }
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
      if (code === undefined) throw error;
      throw new CliError(EXIT.error, `cannot read ${file}: ${code}`);
    }
  }

  #problem({ offset, message }: CaptureProblem): void {
    this.#broken = true;
    this.#io.err(`${this.#options.pcap}: offset ${offset}: ${message}\n`);
  }

  #push(number: number, { bytes, linkType, time, wireLength }: CapturedFrame): void {
    const known = Packet.fromCapture(bytes, linkType, wireLength > bytes.length ? { wireLength } : {});
    const captured = known ?? Packet.fromNetwork(bytes.subarray(0, 0));
    const there: Entry['there'] = known
      ? this.#view.push(known, time)
      : { kind: 'not-judged', reason: `link type ${linkType} is not known` };
    this.#batch.push({ number, time, captured, there });
    this.#octets += bytes.length + (there.kind === 'at-hook' ? there.packet.bytes.length : 0);
  }

  /** Judges and prints what waits. */
  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#octets = 0;
    const seen = batch.flatMap(({ there }) => (there.kind === 'at-hook' ? [there] : []));
    const judged = this.#engine?.judge(seen);
    let at = 0;
    let text = '';
    for (const { number, time, captured, there } of batch) {
      const found = there.kind === 'at-hook' ? this.#found(there, judged?.[at++]) : { outcome: there, why: [], difference: undefined };
      const replayed: Replayed = { number, time, captured, ...found };
      this.#summary.add(found.outcome);
      if (found.difference) this.#summary.differences++;
      text += this.#options.output === 'json' ? renderJson(replayed) : renderText(replayed, this.#options.palette);
    }
    if (text !== '') await this.#io.out(text);
  }

  #found({ packet }: AtHook, kernel: Outcome | undefined): Pick<Replayed, 'outcome' | 'why' | 'difference'> {
    if (!kernel) {
      const { why, ...outcome } = interpret(this.#hook, packet);
      return { outcome, why, difference: undefined };
    }
    if (kernel.kind === 'not-judged') return { outcome: kernel, why: [], difference: undefined };
    const there = withState(packet, kernel.state);
    if (!this.#options.compare) return { outcome: kernel, why: reasons(kernel.rule, there), difference: undefined };
    const { why, ...interpreter } = interpret(this.#hook, there);
    if (sameOutcome(kernel, interpreter)) return { outcome: kernel, why, difference: undefined };
    const difference: Difference = { interpreter, bytes: there.bytes.subarray(there.headers.network) };
    return { outcome: kernel, why: reasons(kernel.rule, there), difference };
  }
}

/** What packets have at a hook. At tc they come in, unless only the interface that they go out by is given. */
function atHookContext({ iif, oif, uid, ...rest }: PacketContext, { hook }: HookRules): PacketContext {
  const out = hook === 'output' || (hook === 'tc' && iif === undefined);
  return {
    ...rest,
    ...(hook === 'output' ? { uid } : {}),
    ...(out ? {} : { iif }),
    ...(out || hook === 'forward' ? { oif } : {}),
  };
}
