import { BgpSpeaker, SessionConfigError } from '@weir/bgp/session';
import type { Config } from '../model/config.ts';
import { speakerConfig } from '../sources/bgp/index.ts';

/** Why no speaker can be run with a configuration. */
export function unfitForSessions(config: Config): SessionConfigError | undefined {
  try {
    // A speaker that is never started only checks.
    new BgpSpeaker(speakerConfig(config, { restarting: false }), () => undefined);
    return undefined;
  } catch (error) {
    if (error instanceof SessionConfigError) return error;
    throw error;
  }
}
