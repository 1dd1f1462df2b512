import { resolve } from 'node:path';
import { NO_PEERS } from '../../compile/judgement/index.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { DEFAULT_EBPF } from '../../model/ebpf.ts';
import type { FaultyTenant, Tenant } from '../../model/tenant.ts';
import { type Files, relativeTo } from '../yaml/files.ts';
import type { Reading } from '../yaml/reading.ts';
import { Seen } from '../yaml/seen.ts';
import type { Table } from '../yaml/shape.ts';
import { type Place, spanOf } from '../yaml/source-text.ts';
import type { ConfigNode, MapEntry, Report } from '../yaml/tree.ts';
import { buildScope } from './build.ts';
import { checkScope } from './check.ts';
import { checkEnforceable } from './check-enforceable.ts';
import { Interfaces } from './interfaces.ts';
import { loadScopePolicy } from './load-policy.ts';
import { mergeTrees } from './merge.ts';
import type { RawFile, RawTenant } from './raw.ts';
import { refuseEbpf } from './refuse-hooks.ts';
import { tenantShape } from './schema.ts';

/** Each has sockets of its own. */
export const MAX_TENANTS = 256;

export interface LoadedTenants {
  readonly tenants: readonly Tenant[];
  /** Tenants with mistakes: none of `tenants` is among them. */
  readonly faulty: readonly FaultyTenant[];
  /** Errors that are a tenant's own. */
  readonly errors: number;
}

/** Reads the tenants of a configuration one by one. What is wrong with one is reported and leaves that one out. */
export function loadTenants(raw: RawFile, reading: Reading, files: Files, now: number): LoadedTenants {
  const node = raw.tenants;
  if (node?.kind !== 'map') return { tenants: [], faulty: [], errors: 0 };
  if (node.entries.length > MAX_TENANTS) {
    reading.report('E010', node.place, `more than ${MAX_TENANTS} tenants`);
    return { tenants: [], faulty: [], errors: 0 };
  }
  const before = reading.errors;
  const loader = new TenantLoader(raw, reading, files, now);
  const tenants: Tenant[] = [];
  const faulty: FaultyTenant[] = [];
  for (const entry of node.entries) {
    const loaded = loader.load(entry);
    if ('netns' in loaded) tenants.push(loaded);
    else faulty.push(loaded);
  }
  return { tenants, faulty, errors: reading.errors - before };
}

class TenantLoader {
  readonly #whole: RawFile;
  readonly #reading: Reading;
  readonly #files: Files;
  readonly #now: number;
  readonly #namespaces = new Seen();
  /** The first error of the tenant that is being loaded. */
  #first: { readonly message: string; readonly span: Diagnostic['span'] } | undefined;

  constructor(whole: RawFile, reading: Reading, files: Files, now: number) {
    this.#whole = whole;
    this.#reading = reading;
    this.#files = files;
    this.#now = now;
  }

  load(entry: MapEntry): Tenant | FaultyTenant {
    this.#first = undefined;
    const before = this.#reading.errors;
    const tenant = this.#read(entry);
    const errors = this.#reading.errors - before;
    if (tenant && errors === 0) return tenant;
    const { message, span } = this.#first ?? { message: 'it cannot be used', span: spanOf(entry.keyPlace) };
    return { name: entry.key, mistake: `${span.file}:${span.line}:${span.column}: ${message}`, errors };
  }

  readonly #report: Report = (code, place, message, hint) => {
    if (!code.startsWith('W')) this.#first ??= { message, span: spanOf(place) };
    this.#reading.report(code, place, message, hint);
  };

  #add(diagnostics: readonly Diagnostic[]): void {
    this.#reading.add(diagnostics, new Map());
    this.#note(diagnostics);
  }

  #note(diagnostics: readonly Diagnostic[]): void {
    this.#first ??= diagnostics.find((d) => d.severity === 'error');
  }

  #read({ key: name, keyPlace, value }: MapEntry): Tenant | undefined {
    const reading = this.#reading;
    const before = reading.errors;
    const table = tenantShape().read(this.#withFile(value, keyPlace), keyPlace, this.#report);
    if (!table) return undefined;
    const scope = table.get;
    this.#checkNamespace(table);
    const { policy, uses, diagnostics, locate } = loadScopePolicy(
      scope,
      reading,
      this.#files,
      this.#now,
      refuseEbpf(),
      ({ place }) => place.source.file,
    );
    this.#note(diagnostics);
    checkScope(scope, this.#whole, { given: table.has('policy'), uses }, this.#report);
    if (scope.interfaces) {
      const interfaces = new Interfaces(scope.interfaces.map((item) => item.value));
      interfaces.checkBorders(scope, this.#report);
      if (policy) this.#add(interfaces.checkRules(policy.rules));
    }
    const built = buildScope(scope, policy);
    if (!built || scope.netns === undefined || reading.errors > before) return undefined;
    this.#add(checkEnforceable({ ...built, bgp: NO_PEERS, ebpf: DEFAULT_EBPF }, this.#now, locate));
    const interfaces = scope.interfaces?.map((item) => item.value);
    return { name, netns: scope.netns, interfaces, ...built, span: spanOf(keyPlace) };
  }

  /** The tenant's mapping with what a file of its own adds. */
  #withFile(value: ConfigNode, label: Place): ConfigNode {
    const entry = value.kind === 'map' ? value.entries.find((e) => e.key === 'config') : undefined;
    if (entry?.value.kind !== 'scalar' || typeof entry.value.value !== 'string') return value;
    const { place, value: name } = entry.value;
    const path = relativeTo(place.source.file, name);
    const errors = this.#reading.errors;
    const tree = this.#reading.parse(path, place);
    // What the parser reports goes past this class.
    if (this.#reading.errors > errors) this.#first ??= { message: `${path} cannot be read`, span: spanOf(place) };
    return tree ? mergeTrees(value, tree, this.#report) : { ...value, place: label };
  }

  #checkNamespace(table: Table<RawTenant>): void {
    const { netns } = table.get;
    if (netns === undefined) return;
    const path = namespaceKey(netns);
    if (this.#whole.netns !== undefined && path === namespaceKey(this.#whole.netns))
      this.#report('E047', table.place('netns'), `${netns} is the namespace that the daemon itself manages (netns)`);
    const first = this.#namespaces.add(path, table.place('netns'));
    if (first) this.#report('E047', table.place('netns'), `the namespace ${netns} is already that of a tenant ${first}`);
  }
}

/** The same for every way to write one namespace, as far as names tell. */
export function namespaceKey(netns: string): string {
  return resolve(netns.includes('/') ? netns : `/run/netns/${netns}`).replace(/^\/var\/run\//, '/run/');
}
