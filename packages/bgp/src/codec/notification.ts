import type { Notification } from './types.ts';

/** NOTIFICATION error codes (RFC 4271 section 4.5, RFC 7313, RFC 9687). */
export const ErrorCode = {
  messageHeader: 1,
  open: 2,
  update: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  routeRefresh: 7,
  sendHoldTimerExpired: 8,
} as const;

/** Subcodes of Message Header Error (RFC 4271 section 6.1). */
export const HeaderSubcode = { connectionNotSynchronized: 1, badMessageLength: 2, badMessageType: 3 } as const;

/** Subcodes of OPEN Message Error (RFC 4271 section 6.2, RFC 5492, RFC 9234). */
export const OpenSubcode = {
  unspecific: 0,
  unsupportedVersion: 1,
  badPeerAs: 2,
  badBgpIdentifier: 3,
  unsupportedOptionalParameter: 4,
  unacceptableHoldTime: 6,
  unsupportedCapability: 7,
  roleMismatch: 11,
} as const;

/** Subcodes of UPDATE Message Error (RFC 4271 section 6.3). */
export const UpdateSubcode = {
  malformedAttributeList: 1,
  unrecognizedWellKnown: 2,
  missingWellKnown: 3,
  attributeFlags: 4,
  attributeLength: 5,
  invalidOrigin: 6,
  invalidNextHop: 8,
  optionalAttribute: 9,
  invalidNetworkField: 10,
  malformedAsPath: 11,
} as const;

/** Subcodes of Finite State Machine Error (RFC 6608): the state in which the message was not expected. */
export const FsmSubcode = { unspecified: 0, inOpenSent: 1, inOpenConfirm: 2, inEstablished: 3 } as const;

/** Subcodes of Cease (RFC 4486, RFC 8538, RFC 9384). */
export const CeaseSubcode = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  connectionCollision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;

/** Subcodes of ROUTE-REFRESH Message Error (RFC 7313 section 5). */
export const RouteRefreshSubcode = { invalidMessageLength: 1 } as const;

interface CodeNames {
  readonly name: string;
  readonly subcodes: Readonly<Record<number, string>>;
}

const NAMES: Readonly<Record<number, CodeNames>> = {
  1: { name: 'Message Header Error', subcodes: { 1: 'Connection Not Synchronized', 2: 'Bad Message Length', 3: 'Bad Message Type' } },
  2: {
    name: 'OPEN Message Error',
    subcodes: {
      1: 'Unsupported Version Number',
      2: 'Bad Peer AS',
      3: 'Bad BGP Identifier',
      4: 'Unsupported Optional Parameter',
      5: 'Authentication Failure',
      6: 'Unacceptable Hold Time',
      7: 'Unsupported Capability',
      11: 'Role Mismatch',
    },
  },
  3: {
    name: 'UPDATE Message Error',
    subcodes: {
      1: 'Malformed Attribute List',
      2: 'Unrecognized Well-known Attribute',
      3: 'Missing Well-known Attribute',
      4: 'Attribute Flags Error',
      5: 'Attribute Length Error',
      6: 'Invalid ORIGIN Attribute',
      7: 'AS Routing Loop',
      8: 'Invalid NEXT_HOP Attribute',
      9: 'Optional Attribute Error',
      10: 'Invalid Network Field',
      11: 'Malformed AS_PATH',
    },
  },
  4: { name: 'Hold Timer Expired', subcodes: {} },
  5: {
    name: 'Finite State Machine Error',
    subcodes: {
      1: 'Receive Unexpected Message in OpenSent State',
      2: 'Receive Unexpected Message in OpenConfirm State',
      3: 'Receive Unexpected Message in Established State',
    },
  },
  6: {
    name: 'Cease',
    subcodes: {
      1: 'Maximum Number of Prefixes Reached',
      2: 'Administrative Shutdown',
      3: 'Peer De-configured',
      4: 'Administrative Reset',
      5: 'Connection Rejected',
      6: 'Other Configuration Change',
      7: 'Connection Collision Resolution',
      8: 'Out of Resources',
      9: 'Hard Reset',
      10: 'BFD Down',
    },
  },
  7: { name: 'ROUTE-REFRESH Message Error', subcodes: { 1: 'Invalid Message Length' } },
  8: { name: 'Send Hold Timer Expired', subcodes: {} },
};

const SHUTDOWN_LIMIT = 255;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** `Cease/Administrative Shutdown: maintenance at noon`; the inner NOTIFICATION of a hard reset follows in brackets. Control characters are escaped. */
export function describeNotification(n: Notification): string {
  const names = NAMES[n.code];
  const head = names?.name ?? `Error code ${n.code}`;
  const sub = n.subcode === 0 ? '' : `/${names?.subcodes[n.subcode] ?? `subcode ${n.subcode}`}`;
  const inner = hardResetReason(n);
  const message = shutdownCommunication(n);
  return `${head}${sub}${inner ? ` (${describeInner(inner)})` : ''}${message ? `: ${escapeControl(message)}` : ''}`;
}

/** One level only: a hard reset inside a hard reset is named and not opened, so that nesting cannot grow with the message. */
function describeInner(n: Notification): string {
  return n.code === ErrorCode.cease && n.subcode === CeaseSubcode.hardReset ? 'Cease/Hard Reset' : describeNotification(n);
}

function escapeControl(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The operator's message of a Cease with Administrative Shutdown or Administrative Reset (RFC 9003), or undefined where there is none or it is not UTF-8. */
export function shutdownCommunication(n: Notification): string | undefined {
  if (n.code !== ErrorCode.cease || (n.subcode !== CeaseSubcode.administrativeShutdown && n.subcode !== CeaseSubcode.administrativeReset)) {
    return undefined;
  }
  const length = n.data[0];
  if (length === undefined || length === 0 || length > n.data.length - 1) return undefined;
  try {
    return utf8.decode(n.data.subarray(1, 1 + length));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** A Cease that carries `message` as its shutdown communication, cut at a character to at most 255 octets of UTF-8 (RFC 9003 section 2). */
export function shutdownNotification(subcode: 2 | 4, message = ''): Notification {
  const room = new Uint8Array(SHUTDOWN_LIMIT);
  const { written } = new TextEncoder().encodeInto(message, room);
  const data = new Uint8Array(written === 0 ? 0 : 1 + written);
  if (written > 0) {
    data[0] = written;
    data.set(room.subarray(0, written), 1);
  }
  return { code: ErrorCode.cease, subcode, data };
}

/** The NOTIFICATION that a Cease with Hard Reset wraps (RFC 8538 section 3), or undefined. */
export function hardResetReason(n: Notification): Notification | undefined {
  if (n.code !== ErrorCode.cease || n.subcode !== CeaseSubcode.hardReset) return undefined;
  const [code, subcode] = n.data;
  return code === undefined || subcode === undefined ? undefined : { code, subcode, data: n.data.subarray(2) };
}

/** Wraps a NOTIFICATION so that the receiver drops its state at once although graceful restart is on (RFC 8538 section 3). */
export function hardReset(inner: Notification): Notification {
  const data = new Uint8Array(2 + inner.data.length);
  data[0] = inner.code;
  data[1] = inner.subcode;
  data.set(inner.data, 2);
  return { code: ErrorCode.cease, subcode: CeaseSubcode.hardReset, data };
}
