import type { Backend, Caller } from '../api/index.ts';

/** Stands in for a backend that does not exist yet: the control socket is opened before anything is touched, so that two daemons never meet in the kernel. Questions wait. */
export class LateBackend implements Backend {
  readonly #ready: Promise<Backend>;
  #resolve: (backend: Backend) => void = () => undefined;
  #backend: Backend | undefined;

  constructor() {
    this.#ready = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  set(backend: Backend): void {
    this.#backend = backend;
    this.#resolve(backend);
  }

  async status(): ReturnType<Backend['status']> {
    return (await this.#ready).status();
  }

  async peers(): ReturnType<Backend['peers']> {
    return (await this.#ready).peers();
  }

  async routes(params: Parameters<Backend['routes']>[0]): ReturnType<Backend['routes']> {
    return (await this.#ready).routes(params);
  }

  async sets(): ReturnType<Backend['sets']> {
    return (await this.#ready).sets();
  }

  async members(params: Parameters<Backend['members']>[0]): ReturnType<Backend['members']> {
    return (await this.#ready).members(params);
  }

  async flowAdd(...given: Parameters<Backend['flowAdd']>): ReturnType<Backend['flowAdd']> {
    return (await this.#ready).flowAdd(...given);
  }

  async flowDelete(params: Parameters<Backend['flowDelete']>[0]): ReturnType<Backend['flowDelete']> {
    return (await this.#ready).flowDelete(params);
  }

  async networks(params: Parameters<Backend['networks']>[0]): ReturnType<Backend['networks']> {
    return (await this.#ready).networks(params);
  }

  async networkClient(params: Parameters<Backend['networkClient']>[0]): ReturnType<Backend['networkClient']> {
    return (await this.#ready).networkClient(params);
  }

  async networkAdd(...given: Parameters<Backend['networkAdd']>): ReturnType<Backend['networkAdd']> {
    return (await this.#ready).networkAdd(...given);
  }

  async networkReplace(...given: Parameters<Backend['networkReplace']>): ReturnType<Backend['networkReplace']> {
    return (await this.#ready).networkReplace(...given);
  }

  async networkDelete(...given: Parameters<Backend['networkDelete']>): ReturnType<Backend['networkDelete']> {
    return (await this.#ready).networkDelete(...given);
  }

  async networkDump(params: Parameters<Backend['networkDump']>[0]): ReturnType<Backend['networkDump']> {
    return (await this.#ready).networkDump(params);
  }

  async networkHistory(params: Parameters<Backend['networkHistory']>[0]): ReturnType<Backend['networkHistory']> {
    return (await this.#ready).networkHistory(params);
  }

  async networkLoad(params: Parameters<Backend['networkLoad']>[0]): ReturnType<Backend['networkLoad']> {
    return (await this.#ready).networkLoad(params);
  }

  async networkLoadPage(params: Parameters<Backend['networkLoadPage']>[0]): ReturnType<Backend['networkLoadPage']> {
    return (await this.#ready).networkLoadPage(params);
  }

  async networkLoadCommit(...given: Parameters<Backend['networkLoadCommit']>): ReturnType<Backend['networkLoadCommit']> {
    return (await this.#ready).networkLoadCommit(...given);
  }

  async feeds(): ReturnType<Backend['feeds']> {
    return (await this.#ready).feeds();
  }

  async feedRefresh(...given: Parameters<Backend['feedRefresh']>): ReturnType<Backend['feedRefresh']> {
    return (await this.#ready).feedRefresh(...given);
  }

  async feedAccept(...given: Parameters<Backend['feedAccept']>): ReturnType<Backend['feedAccept']> {
    return (await this.#ready).feedAccept(...given);
  }

  async blackholes(): ReturnType<Backend['blackholes']> {
    return (await this.#ready).blackholes();
  }

  async blackholeAdd(...given: Parameters<Backend['blackholeAdd']>): ReturnType<Backend['blackholeAdd']> {
    return (await this.#ready).blackholeAdd(...given);
  }

  async blackholeDelete(params: Parameters<Backend['blackholeDelete']>[0]): ReturnType<Backend['blackholeDelete']> {
    return (await this.#ready).blackholeDelete(params);
  }

  async flowPlan(params: Parameters<Backend['flowPlan']>[0]): ReturnType<Backend['flowPlan']> {
    return (await this.#ready).flowPlan(params);
  }

  async flows(params: Parameters<Backend['flows']>[0]): ReturnType<Backend['flows']> {
    return (await this.#ready).flows(params);
  }

  async refused(params: Parameters<Backend['refused']>[0]): ReturnType<Backend['refused']> {
    return (await this.#ready).refused(params);
  }

  async lookup(params: Parameters<Backend['lookup']>[0]): ReturnType<Backend['lookup']> {
    return (await this.#ready).lookup(params);
  }

  async events(params: Parameters<Backend['events']>[0]): ReturnType<Backend['events']> {
    return (await this.#ready).events(params);
  }

  async reload(caller: Caller): ReturnType<Backend['reload']> {
    return (await this.#ready).reload(caller);
  }

  async apply(params: Parameters<Backend['apply']>[0], caller: Caller): ReturnType<Backend['apply']> {
    return (await this.#ready).apply(params, caller);
  }

  async confirm(caller: Caller): ReturnType<Backend['confirm']> {
    return (await this.#ready).confirm(caller);
  }

  async rollback(params: Parameters<Backend['rollback']>[0], caller: Caller): ReturnType<Backend['rollback']> {
    return (await this.#ready).rollback(params, caller);
  }

  async history(): ReturnType<Backend['history']> {
    return (await this.#ready).history();
  }

  async generation(params: Parameters<Backend['generation']>[0]): ReturnType<Backend['generation']> {
    return (await this.#ready).generation(params);
  }

  async observe(params: Parameters<Backend['observe']>[0]): ReturnType<Backend['observe']> {
    return (await this.#ready).observe(params);
  }

  async feed(uid: number | undefined, send: (command: string) => void): ReturnType<Backend['feed']> {
    return (await this.#ready).feed(uid, send);
  }

  /** Too early for events: refused as busy. */
  watch(params: Parameters<Backend['watch']>[0]): ReturnType<Backend['watch']> {
    return this.#backend?.watch(params);
  }
}
