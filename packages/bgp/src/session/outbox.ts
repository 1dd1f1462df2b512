import type { FamilyName, UnicastFamily } from '../codec/index.ts';
import type { OutgoingSession } from './announcer.ts';
import { refreshBytes } from './message-bytes.ts';
import { UNICAST } from './own-routes.ts';
import type { Behind, RouteIds, RouteView } from './route-view.ts';
import type { Segment } from './segment.ts';

/** What is told before anything else: some messages, or all routes of a family from a block on, each as it is when its turn comes. */
type Job =
  | { readonly kind: 'segments'; readonly segments: readonly Segment[] }
  | { readonly kind: 'dump'; readonly name: UnicastFamily; block: number };

/**
 * A session and its place in what it is still to be told: jobs, then what it missed, or else the view's log from a chunk on, then refreshes. It holds the octets of one block or chunk and no others,
 * however slow it is.
 */
export class Outbox {
  readonly session: OutgoingSession;
  readonly #missed: Set<RouteIds>;
  #view: RouteView;
  /** What is being sent: all behind the first `#sent`. */
  #queue: readonly Segment[] = [];
  #sent = 0;
  #jobs: Job[] = [];
  readonly #refreshes: UnicastFamily[] = [];
  #next: number;
  /** Of a session that is too far behind for the log. */
  #behind: Behind | undefined;

  /** Of a new session, which is to be told all. `missed` has what those miss that are too far behind: changes go there. */
  constructor(session: OutgoingSession, view: RouteView, missed: Set<RouteIds>) {
    this.session = session;
    this.#view = view;
    this.#missed = missed;
    view.users++;
    view.encode();
    this.#next = view.head;
    this.#dump();
    this.#jobs.push({ kind: 'segments', segments: view.ends });
  }

  get view(): RouteView {
    return this.#view;
  }

  get behind(): Behind | undefined {
    return this.#behind;
  }

  /** The first chunk of the log that it needs; undefined where it needs none of it. */
  get next(): number | undefined {
    return this.#behind ? undefined : this.#next;
  }

  get inStep(): boolean {
    return this.#idle && this.#behind === undefined && this.#next === this.#view.head;
  }

  /** Nothing of an earlier turn waits. */
  get #idle(): boolean {
    return this.#sent === this.#queue.length && this.#jobs.length === 0;
  }

  /** Goes on without the log: what it missed is told as it will be then. */
  leaveLog(): void {
    if (this.#behind) return;
    this.#behind = this.#view.missedSince(this.#next);
    this.#missed.add(this.#behind.missed);
  }

  refresh(name: FamilyName): void {
    const unicast = UNICAST.find((one) => one === name);
    if (unicast === undefined) this.#jobs.push(this.#mark(name, 1), this.#mark(name, 2));
    // One that has not begun answers this request too.
    else if (!this.#refreshes.includes(unicast)) this.#refreshes.push(unicast);
  }

  /** It gets what another view has. `forget` is what whoever knew all of its view has to be told last. */
  move(view: RouteView, forget: () => readonly Segment[], everything: () => RouteIds): void {
    view.encode();
    view.users++;
    this.#view.users--;
    if (this.inStep) {
      this.#view = view;
      this.#next = view.head;
      this.#dump();
      this.#jobs.push({ kind: 'segments', segments: forget() });
      return;
    }
    this.leaveLog();
    this.#view = view;
    const all = everything();
    for (const name of UNICAST) this.#behind?.missed[name].addAll(all[name]);
  }

  /** Sends until there is nothing left to tell or the session takes no more. */
  flush(): void {
    while (this.#sendQueue()) {
      const [job] = this.#jobs;
      if (job) this.#begin(job);
      else if (this.#behind) this.#catchUp(this.#behind);
      else if (this.#next < this.#view.head) this.#queue = this.#view.chunk(this.#next++);
      else {
        const name = this.#refreshes.shift();
        if (name === undefined) return;
        this.#jobs.push(this.#mark(name, 1), { kind: 'dump', name, block: 0 }, this.#mark(name, 2));
      }
    }
  }

  /** The session is over. */
  close(): void {
    this.#view.users--;
    if (this.#behind) this.#missed.delete(this.#behind.missed);
  }

  #dump(): void {
    for (const name of UNICAST) if (this.session.context.families.includes(name)) this.#jobs.push({ kind: 'dump', name, block: 0 });
  }

  /** Beginning and end of a refresh, where the peer understands those (RFC 7313). */
  #mark(name: FamilyName, subtype: 1 | 2): Job {
    const segments = this.session.enhancedRefresh ? [{ octets: refreshBytes(name, subtype), count: 1 }] : [];
    return { kind: 'segments', segments };
  }

  #begin(job: Job): void {
    if (job.kind === 'segments') this.#queue = job.segments;
    else if (job.block < this.#view.blocks(job.name)) {
      this.#queue = this.#view.block(job.name, job.block++);
      return;
    }
    this.#jobs.shift();
    // What changed meanwhile was told in part, and is not told as it was once.
    if (job.kind === 'dump' && this.#next < this.#view.head) this.leaveLog();
  }

  #catchUp(behind: Behind): void {
    const some = this.#view.catchUp(behind);
    if (some) {
      this.#queue = some;
      return;
    }
    this.#missed.delete(behind.missed);
    this.#behind = undefined;
    this.#next = this.#view.head;
  }

  /** Whether all of it is sent. */
  #sendQueue(): boolean {
    const queue = this.#queue;
    for (; this.#sent < queue.length; this.#sent++) {
      const { octets, count } = queue[this.#sent] as Segment;
      if (this.session.send(octets, count) !== 'queued') return false;
    }
    this.#queue = [];
    this.#sent = 0;
    return true;
  }
}
