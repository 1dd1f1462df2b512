import { equalIp } from '@weir/wire/inet';
import { CeaseSubcode, ErrorCode, type Notification, type OpenMessage } from '../codec/index.ts';
import { survivor } from './collision.ts';
import { jittered } from './config.ts';
import { isRefusal, negotiate } from './negotiate.ts';
import { checkOpen, localOpen, openAs } from './open.ts';
import { retainedFamilies } from './retain.ts';
import type { Connection } from './state.ts';
import type { Transition } from './transition.ts';

const COLLISION: Notification = { code: ErrorCode.cease, subcode: CeaseSubcode.connectionCollision, data: new Uint8Array(0) };

/** The peer's OPEN on a connection that waits for it: check, settle collisions, negotiate, confirm (RFC 4271 section 8.2.2, event 19). */
export function receiveOpen(t: Transition, connection: Connection, open: OpenMessage): void {
  const { id } = connection;
  const agreed = checkOpen(t.config, open) ?? negotiate(t.config, localOpen(t.config, t.state.plain), open);
  if (isRefusal(agreed)) {
    t.notify(id, agreed.notification);
    t.report(connection, { reason: 'notification-sent', ...agreed }, []);
    t.rest();
    return;
  }
  for (const other of t.state.connections) {
    if (other.id !== id && !yields(t, connection, other, open)) {
      t.notify(id, COLLISION);
      t.report(connection, { reason: 'collision', notification: COLLISION, detail: undefined }, []);
      return;
    }
  }
  if (connection.phase === 'open-delayed') {
    t.actions.push({ kind: 'stop-connection-timer', id, timer: 'delay-open' });
    t.actions.push({ kind: 'send', id, message: localOpen(t.config, t.state.plain) });
  }
  t.change(id, { phase: 'open-confirm', negotiated: agreed });
  t.actions.push({ kind: 'send', id, message: { kind: 'keepalive' } });
  if (agreed.holdTime === 0) t.actions.push({ kind: 'stop-connection-timer', id, timer: 'hold' });
  else {
    t.startConnectionTimer(id, 'hold', agreed.holdTime * 1000);
    t.startConnectionTimer(id, 'keepalive', jittered(agreed.keepaliveTime, t.random));
  }
}

/** Settles a connection against the one whose OPEN has just arrived; false when the newer one must go. */
function yields(t: Transition, opening: Connection, other: Connection, open: OpenMessage): boolean {
  switch (other.phase) {
    case 'connecting':
      t.close(other.id);
      t.stopTimer('connect-retry');
      return true;
    case 'open-delayed':
    case 'open-sent':
      return true;
    case 'open-confirm': {
      const { localAs, routerId } = t.config;
      const stays = survivor({ routerId, as: localAs }, { routerId: open.routerId, as: openAs(open) });
      if (stays !== opening.direction) return false;
      t.notify(other.id, COLLISION);
      t.report(other, { reason: 'collision', notification: COLLISION, detail: undefined }, []);
      return true;
    }
    case 'established': {
      // Whatever was there when the session came up was closed then: this connection is newer. A peer that can restart gracefully and opens another
      // connection has lost the first (RFC 4724 section 5). It is believed once its OPEN proves that it speaks BGP, so that a stray connection cannot
      // end a session; and one of another identifier is another speaker at the same address, which has lost nothing.
      const { negotiated } = other;
      if (!negotiated || (negotiated.gracefulRestart?.families.length ?? 0) === 0) return false;
      if (openAs(open) !== negotiated.peerAs || !equalIp(open.routerId, negotiated.peerRouterId)) return false;
      t.close(other.id);
      t.report(other, { reason: 'replaced', notification: undefined, detail: undefined }, retainedFamilies(negotiated, 'transport'));
      return true;
    }
  }
}
