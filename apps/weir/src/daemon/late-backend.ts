import { ApiError, type Backend } from '../api/index.ts';

/** Stands in for a backend that does not exist yet: the control socket is opened before anything is touched, so that two daemons never meet in the kernel. */
export class LateBackend implements Backend {
  #backend: Backend | undefined;

  set(backend: Backend): void {
    this.#backend = backend;
  }

  #ready(): Backend {
    if (this.#backend) return this.#backend;
    throw new ApiError('busy', 'the daemon is starting');
  }

  async status(): ReturnType<Backend['status']> {
    return this.#ready().status();
  }

  async peers(): ReturnType<Backend['peers']> {
    return this.#ready().peers();
  }

  async routes(params: Parameters<Backend['routes']>[0]): ReturnType<Backend['routes']> {
    return this.#ready().routes(params);
  }

  async sets(): ReturnType<Backend['sets']> {
    return this.#ready().sets();
  }

  async members(params: Parameters<Backend['members']>[0]): ReturnType<Backend['members']> {
    return this.#ready().members(params);
  }

  async refused(params: Parameters<Backend['refused']>[0]): ReturnType<Backend['refused']> {
    return this.#ready().refused(params);
  }

  async events(params: Parameters<Backend['events']>[0]): ReturnType<Backend['events']> {
    return this.#ready().events(params);
  }

  async reload(): ReturnType<Backend['reload']> {
    return this.#ready().reload();
  }

  watch(params: Parameters<Backend['watch']>[0]): ReturnType<Backend['watch']> {
    return this.#ready().watch(params);
  }
}
