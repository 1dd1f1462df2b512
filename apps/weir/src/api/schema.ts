import type { Hook } from '@weir/filter/scheme';
import * as z from 'zod/mini';
import { EVENT_HOOKS, EVENT_VERDICTS, type EventVerdict } from '../model/verdict-event.ts';

/** Version of every answer's shape. Fields are only ever added under the same number. */
export const FORMAT_VERSION = 1;

/** Items of one page, and how many there are when nothing is asked. */
const MAX_PAGE = 10_000;

/** Addresses of one lookup. */
const MAX_LOOKUP = 256;

/** Characters of a flow rule. */
const MAX_FLOW_TEXT = 16_384;

/** No parameters. */
type None = Readonly<Record<string, never>>;

/** What each method takes. */
export interface MethodParams {
  readonly status: None;
  readonly peers: None;
  readonly routes: {
    readonly peer?: string | undefined;
    readonly set?: string | undefined;
    readonly family?: 'ipv4' | 'ipv6' | undefined;
    readonly prefix?: string | undefined;
    /** With `prefix`: also routes inside it. */
    readonly longer?: boolean | undefined;
    readonly limit?: number | undefined;
    /** Where to go on, as the answer before gave it. */
    readonly cursor?: string | undefined;
  };
  readonly sets: None;
  readonly members: {
    readonly set: string;
    readonly family?: 'ipv4' | 'ipv6' | undefined;
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  };
  readonly refused: { readonly set: string };
  /** Flow rules, in the order in which they are judged. */
  readonly flows: {
    readonly peer?: string | undefined;
    readonly state?: 'enforced' | 'refused' | 'waiting' | 'not-best' | undefined;
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  };
  /** What the files as they are now would make of the flow rules of peers. */
  readonly 'flow-plan': {
    /** Of the files that are meant; others are refused. */
    readonly digest?: string | undefined;
    readonly limit?: number | undefined;
  };
  /** Announces a flow rule of our own, or announces it anew. */
  readonly 'flow-add': {
    /** As BIRD writes it. */
    readonly flow: string;
    /** `discard`, `rate-bytes 12500`, `mark 46` and so on. */
    readonly actions: readonly string[];
    /** All that may be told when absent. */
    readonly peers?: readonly string[] | undefined;
    /** Milliseconds since the epoch. */
    readonly until?: number | undefined;
    readonly comment?: string | undefined;
  };
  readonly 'flow-delete': { readonly flow: string };
  /** What is announced as blackhole routes. */
  readonly blackholes: None;
  /** Announces a blackhole route of our own, or announces it anew. */
  readonly 'blackhole-add': {
    readonly prefix: string;
    /** `blackhole`, `64512:666`, `64512:1:2`; those of the configuration when absent. */
    readonly communities?: readonly string[] | undefined;
    readonly next_hop?: string | undefined;
    /** All that may be told when absent. */
    readonly peers?: readonly string[] | undefined;
    /** Milliseconds since the epoch. */
    readonly until?: number | undefined;
    readonly comment?: string | undefined;
    /** Though it has addresses that are protected, or of this host or its peers. */
    readonly allow_protected?: boolean | undefined;
  };
  readonly 'blackhole-delete': { readonly prefix: string };
  /** Tables of networks that are distributed, and what is in them. */
  readonly networks: {
    readonly table?: string | undefined;
    /** Only what a client has contributed, or a session of one. */
    readonly client?: string | undefined;
    readonly prefix?: string | undefined;
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  };
  /** A client of what is distributed by its name, or one session by `NAME-ADDRESS`. */
  readonly 'network-client': { readonly client: string; readonly limit?: number | undefined; readonly cursor?: string | undefined };
  /** Puts prefixes into tables. */
  readonly 'network-add': NetworkParams;
  /** Puts them into these tables, and takes them out of all others. */
  readonly 'network-replace': NetworkParams;
  /** Takes them out of these tables, or of all. */
  readonly 'network-delete': { readonly prefixes: readonly string[]; readonly tables?: readonly string[] | undefined };
  /** The prefixes of a table as text. */
  readonly 'network-dump': { readonly table: string; readonly cursor?: string | undefined };
  /** Who changed what, the latest first. */
  readonly 'network-history': {
    readonly table?: string | undefined;
    readonly prefix?: string | undefined;
    readonly limit?: number | undefined;
    /** Only changes with a lower number. */
    readonly before?: number | undefined;
  };
  /** Begins to load a list into a table, or into the tables that its pages name; it counts when it is committed. */
  readonly 'network-load': {
    readonly table?: string | undefined;
    /** What is in the table and not in the list is taken out. */
    readonly replace?: boolean | undefined;
    readonly until?: number | undefined;
    readonly comment?: string | undefined;
  };
  readonly 'network-load-page': {
    readonly load: string;
    readonly prefixes: readonly string[];
    /** Of this table, and until then, in place of what was said at the beginning. */
    readonly table?: string | undefined;
    readonly until?: number | undefined;
    /** They are taken out. */
    readonly remove?: boolean | undefined;
  };
  readonly 'network-load-commit': {
    readonly load: string;
    /** Nothing is changed; what would be refused is. */
    readonly dry_run?: boolean | undefined;
  };
  /** Lists that are pulled into tables. */
  readonly feeds: None;
  /** Gets a list now; with `force` it is taken however much it has shrunk or grown. */
  readonly 'feed-refresh': { readonly feed: string; readonly force?: boolean | undefined };
  /** Gets a list that was refused for its size, and takes it. */
  readonly 'feed-accept': { readonly feed: string };
  /** Which sets cover addresses. */
  readonly lookup: { readonly addresses: readonly string[] };
  readonly events: { readonly limit?: number | undefined };
  readonly reload: None;
  /** Takes the configuration as its files say now. */
  readonly apply: {
    /** Digest of what was in force when the plan was made; another one makes the plan stale. */
    readonly base?: string | undefined;
    /** Digest of the files that the plan was made from. */
    readonly digest?: string | undefined;
    /** Goes back by itself unless it is confirmed within so many milliseconds. */
    readonly confirm_timeout_ms?: number | undefined;
    readonly allow_lockout?: boolean | undefined;
    /** Cuts the tracked connections that the new rules would deny: at once, or when the change is confirmed where it has to be. */
    readonly flush_states?: boolean | undefined;
    /** The caller's SSH session: client address and port, server address and port. */
    readonly ssh?: string | undefined;
  };
  readonly confirm: None;
  readonly rollback: {
    readonly to?: number | undefined;
    /** Only if this generation still waits for confirmation. */
    readonly unconfirmed?: number | undefined;
  };
  readonly history: None;
  readonly generation: { readonly number?: number | undefined };
  /** A stream: one answer for each batch of events until the connection ends or `cancel` comes. */
  readonly watch: { readonly kinds?: readonly string[] | undefined; readonly set?: string | undefined; readonly peer?: string | undefined };
  /** Verdicts of rules that log: the `last` of them that meet everything that is said; then, with `follow`, a stream as `watch` is one. */
  readonly observe: {
    readonly verdicts?: readonly EventVerdict[] | undefined;
    readonly hook?: Hook | undefined;
    readonly protocol?: number | undefined;
    /** Of either side. */
    readonly port?: number | undefined;
    /** An address or prefix: of either side. */
    readonly address?: string | undefined;
    /** The `ref` of the rule. */
    readonly rule?: string | undefined;
    readonly tenant?: string | undefined;
    readonly last?: number | undefined;
    readonly follow?: boolean | undefined;
  };
  /** Everything that the client sends after the first answer is what ExaBGP prints; answers carry commands for it. Ends with the connection. */
  readonly exabgp: None;
  readonly cancel: { readonly request: number };
}

interface NetworkParams {
  readonly prefixes: readonly string[];
  /** Names of tables, or communities. */
  readonly tables: readonly string[];
  /** Milliseconds since the epoch. */
  readonly until?: number | undefined;
  readonly comment?: string | undefined;
}

export type Method = keyof MethodParams;
export type Params<M extends Method> = MethodParams[M];

/** Of a tenant with its name before it. */
const setName = z.string().check(z.regex(/^(?:[a-z0-9][a-z0-9_-]{0,31}\/)?[a-z0-9_]{1,64}$/));
const peerName = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/));
const limit = z.optional(z.int().check(z.minimum(1), z.maximum(MAX_PAGE)));
const cursor = z.optional(z.string().check(z.maxLength(200)));
const family = z.optional(z.enum(['ipv4', 'ipv6']));
const prefix = z.string().check(z.maxLength(64));
const digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const number = z.int().check(z.minimum(1));
const none: z.ZodMiniType<None> = z.strictObject({});

const tableName = z.string().check(z.maxLength(64));
const clientName = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/));
const tableNames = z.array(tableName).check(z.minLength(1), z.maxLength(64));
const prefixes = z.array(prefix).check(z.minLength(1), z.maxLength(MAX_PAGE));
const load = z.string().check(z.maxLength(64));
const networkParams = z.strictObject({
  prefixes,
  tables: tableNames,
  until: z.optional(z.int().check(z.minimum(0))),
  comment: z.optional(z.string().check(z.maxLength(256))),
});

const PARAMS: { readonly [M in Method]: z.ZodMiniType<MethodParams[M]> } = {
  status: none,
  peers: none,
  routes: z.strictObject({
    peer: z.optional(peerName),
    set: z.optional(setName),
    family,
    prefix: z.optional(prefix),
    longer: z.optional(z.boolean()),
    limit,
    cursor,
  }),
  sets: none,
  members: z.strictObject({ set: setName, family, limit, cursor }),
  refused: z.strictObject({ set: setName }),
  flows: z.strictObject({
    peer: z.optional(peerName),
    state: z.optional(z.enum(['enforced', 'refused', 'waiting', 'not-best'])),
    limit,
    cursor: z.optional(z.string().check(z.regex(/^[0-9]{1,7}$/))),
  }),
  'flow-plan': z.strictObject({ digest: z.optional(digest), limit }),
  'flow-add': z.strictObject({
    flow: z.string().check(z.maxLength(MAX_FLOW_TEXT)),
    actions: z.array(z.string().check(z.maxLength(128))).check(z.minLength(1), z.maxLength(16)),
    peers: z.optional(z.array(peerName).check(z.minLength(1), z.maxLength(256))),
    until: z.optional(z.int().check(z.minimum(0))),
    comment: z.optional(z.string().check(z.maxLength(256))),
  }),
  'flow-delete': z.strictObject({ flow: z.string().check(z.maxLength(MAX_FLOW_TEXT)) }),
  blackholes: none,
  'blackhole-add': z.strictObject({
    prefix,
    communities: z.optional(z.array(z.string().check(z.maxLength(64))).check(z.minLength(1), z.maxLength(32))),
    next_hop: z.optional(prefix),
    peers: z.optional(z.array(peerName).check(z.minLength(1), z.maxLength(256))),
    until: z.optional(z.int().check(z.minimum(0))),
    comment: z.optional(z.string().check(z.maxLength(256))),
    allow_protected: z.optional(z.boolean()),
  }),
  'blackhole-delete': z.strictObject({ prefix }),
  networks: z.strictObject({ table: z.optional(tableName), client: z.optional(clientName), prefix: z.optional(prefix), limit, cursor }),
  'network-client': z.strictObject({ client: clientName, limit, cursor }),
  'network-add': networkParams,
  'network-replace': networkParams,
  'network-delete': z.strictObject({ prefixes, tables: z.optional(tableNames) }),
  'network-dump': z.strictObject({ table: tableName, cursor }),
  'network-history': z.strictObject({ table: z.optional(tableName), prefix: z.optional(prefix), limit, before: z.optional(number) }),
  'network-load': z.strictObject({
    table: z.optional(tableName),
    replace: z.optional(z.boolean()),
    until: z.optional(z.int().check(z.minimum(0))),
    comment: z.optional(z.string().check(z.maxLength(256))),
  }),
  'network-load-page': z.strictObject({
    load,
    prefixes: z.array(prefix).check(z.maxLength(MAX_PAGE)),
    table: z.optional(tableName),
    until: z.optional(z.int().check(z.minimum(0))),
    remove: z.optional(z.boolean()),
  }),
  'network-load-commit': z.strictObject({ load, dry_run: z.optional(z.boolean()) }),
  feeds: none,
  'feed-refresh': z.strictObject({ feed: peerName, force: z.optional(z.boolean()) }),
  'feed-accept': z.strictObject({ feed: peerName }),
  lookup: z.strictObject({ addresses: z.array(z.string().check(z.maxLength(64))).check(z.minLength(1), z.maxLength(MAX_LOOKUP)) }),
  events: z.strictObject({ limit: z.optional(z.int().check(z.minimum(1), z.maximum(512))) }),
  reload: none,
  apply: z.strictObject({
    base: z.optional(digest),
    digest: z.optional(digest),
    confirm_timeout_ms: z.optional(z.int().check(z.minimum(1000), z.maximum(86_400_000))),
    allow_lockout: z.optional(z.boolean()),
    flush_states: z.optional(z.boolean()),
    ssh: z.optional(z.string().check(z.maxLength(128))),
  }),
  confirm: none,
  rollback: z.strictObject({ to: z.optional(number), unconfirmed: z.optional(number) }),
  history: none,
  generation: z.strictObject({ number: z.optional(number) }),
  watch: z.strictObject({
    kinds: z.optional(z.array(z.string().check(z.maxLength(32))).check(z.maxLength(16))),
    set: z.optional(setName),
    peer: z.optional(peerName),
  }),
  observe: z.strictObject({
    verdicts: z.optional(z.array(z.enum(EVENT_VERDICTS)).check(z.minLength(1), z.maxLength(EVENT_VERDICTS.length))),
    hook: z.optional(z.enum(EVENT_HOOKS)),
    protocol: z.optional(z.int().check(z.minimum(0), z.maximum(255))),
    port: z.optional(z.int().check(z.minimum(0), z.maximum(65_535))),
    address: z.optional(prefix),
    rule: z.optional(z.string().check(z.maxLength(128))),
    tenant: z.optional(z.string().check(z.maxLength(32))),
    last: z.optional(z.int().check(z.minimum(0), z.maximum(MAX_PAGE))),
    follow: z.optional(z.boolean()),
  }),
  exabgp: none,
  cancel: z.strictObject({ request: z.int() }),
};

const envelope = z.strictObject({
  id: z.int().check(z.minimum(0), z.maximum(Number.MAX_SAFE_INTEGER)),
  method: z.string().check(z.maxLength(32)),
  params: z.optional(z.record(z.string(), z.unknown())),
});

/** A request that was understood. */
export type Request = { [M in Method]: { readonly id: number; readonly method: M; readonly params: Params<M> } }[Method];

/** Stable codes of refused requests. */
export type ApiErrorCode =
  | 'bad-request'
  | 'unknown-method'
  | 'not-found'
  | 'busy'
  | 'failed'
  | 'too-large'
  | 'invalid-config'
  | 'stale'
  | 'lockout'
  | 'refused';

export interface ApiErrorBody {
  readonly code: ApiErrorCode;
  readonly message: string;
  /** Diagnostics of a configuration that was refused, as text. */
  readonly details?: readonly string[];
}

/** One line from the daemon. `more` says that further lines with the same id follow. */
export type Response =
  | { readonly id: number; readonly ok: true; readonly result: unknown; readonly more?: boolean }
  | { readonly id: number | null; readonly ok: false; readonly error: ApiErrorBody };

export type ParsedRequest =
  | { readonly ok: true; readonly request: Request }
  | { readonly ok: false; readonly id: number | null; readonly error: ApiErrorBody };

/** One line from a client. Never throws. */
export function parseRequest(line: string): ParsedRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return refuse(null, 'bad-request', 'not a line of JSON');
  }
  const parsed = envelope.safeParse(value);
  if (!parsed.success) return refuse(idOf(value), 'bad-request', firstIssue(parsed.error));
  const { id, method } = parsed.data;
  if (!Object.hasOwn(PARAMS, method)) return refuse(id, 'unknown-method', `there is no method ${JSON.stringify(method)}`);
  const params = PARAMS[method as Method].safeParse(parsed.data.params ?? {});
  if (!params.success) return refuse(id, 'bad-request', firstIssue(params.error));
  return { ok: true, request: { id, method, params: params.data } as Request };
}

function refuse(id: number | null, code: ApiErrorCode, message: string): ParsedRequest {
  return { ok: false, id, error: { code, message } };
}

function idOf(value: unknown): number | null {
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
  return typeof id === 'number' && Number.isSafeInteger(id) ? id : null;
}

function firstIssue(error: z.core.$ZodError): string {
  const issue = error.issues[0];
  if (!issue) return 'not understood';
  const path = issue.path.map(String).join('.');
  const what =
    issue.code === 'unrecognized_keys'
      ? `unknown key ${issue.keys.slice(0, 3).join(', ')}`
      : `not valid (${issue.code.replaceAll('_', ' ')})`;
  return path === '' ? what : `${path}: ${what}`;
}
