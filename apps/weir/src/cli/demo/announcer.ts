/** What announces the services of the cluster. */
export interface Announcer {
  /** Shown to the user: `gobgpd 3.10.0`. */
  readonly description: string;
  /** Whether its session is up. */
  ready(): Promise<boolean>;
  /** Both prefixes of the service, with the community. */
  announce(): Promise<void>;
  withdraw(): Promise<void>;
  close(): Promise<void>;
}

/** A router that the announcer has a session with. */
export interface Upstream {
  readonly address: string;
  /** It is not on the same link. */
  readonly multihop: boolean;
}
