import { DecodeError, Reader, Writer } from '@weir/wire/bytes';
import { decodeIp } from '@weir/wire/inet';
import { decodeCapability, encodeCapability, isEssential } from './capability.ts';
import { BgpError } from './error.ts';
import { HEADER_SIZE, withHeader } from './header.ts';
import { ErrorCode, OpenSubcode } from './notification.ts';
import type { Capability, OpenMessage } from './types.ts';

const VERSION = 4;
const PARAMETER_CAPABILITIES = 2;
const PARAMETER_EXTENDED = 255;

function openError(subcode: number, message: string, offset: number, field: string, rfc: string, data?: Uint8Array): BgpError {
  return new BgpError(message, { code: ErrorCode.open, subcode, data, offset, field, rfc });
}

/**
 * A whole OPEN, header included. Checked here: version, AS 0 (RFC 7607), hold time 1 and 2, identifier 0 (RFC 6286), optional parameters in
 * both lengths (RFC 9072), contradicting roles (RFC 9234 section 4.2). Whether AS and identifier are the expected ones is the state machine's to
 * say. Throws BgpError, always with an OPEN Message Error.
 */
export function decodeOpen(bytes: Uint8Array): OpenMessage {
  const r = new Reader(bytes, Math.min(HEADER_SIZE, bytes.length));
  try {
    return readOpen(r);
  } catch (error) {
    if (error instanceof BgpError || !(error instanceof DecodeError)) throw error;
    throw openError(OpenSubcode.unspecific, `OPEN: ${error.message}`, error.offset, error.field, 'RFC 4271 section 6.2');
  }
}

function readOpen(r: Reader): OpenMessage {
  const version = r.u8('version');
  if (version !== VERSION) {
    throw openError(
      OpenSubcode.unsupportedVersion,
      `BGP version ${version}`,
      r.pos - 1,
      'version',
      'RFC 4271 section 6.2',
      Uint8Array.of(0, VERSION),
    );
  }
  const myAs = r.u16('my autonomous system');
  if (myAs === 0) throw openError(OpenSubcode.badPeerAs, 'AS 0', r.pos - 2, 'my autonomous system', 'RFC 7607 section 2');
  const holdTime = r.u16('hold time');
  if (holdTime === 1 || holdTime === 2) {
    throw openError(OpenSubcode.unacceptableHoldTime, `hold time of ${holdTime} seconds`, r.pos - 2, 'hold time', 'RFC 4271 section 6.2');
  }
  const routerId = decodeIp(r, 4, 'BGP identifier');
  if (routerId.w0 === 0)
    throw openError(OpenSubcode.badBgpIdentifier, 'BGP identifier 0', r.pos - 4, 'BGP identifier', 'RFC 6286 section 2.2');
  const capabilities = readParameters(r);
  checkCapabilities(capabilities, r.pos);
  return { kind: 'open', version, myAs, holdTime, routerId, capabilities };
}

/**
 *     length 1 · { type 1 · length 1 · value }           RFC 4271 section 4.2
 *     255 · 255 · length 2 · { type 1 · length 2 · value }   RFC 9072 section 2
 */
function readParameters(r: Reader): readonly Capability[] {
  let length = r.u8('optional parameters length');
  const extended = length !== 0 && !r.done && r.bytes[r.pos] === PARAMETER_EXTENDED;
  if (extended) {
    r.skip(1);
    length = r.u16('extended optional parameters length');
  }
  if (length !== r.remaining) {
    throw openError(
      OpenSubcode.unspecific,
      `optional parameters of ${length} octets, ${r.remaining} left`,
      r.pos,
      'optional parameters length',
      'RFC 4271 section 6.2',
    );
  }
  const out: Capability[] = [];
  while (!r.done) {
    const at = r.pos;
    const type = r.u8('parameter type');
    const parameter = r.sub(extended ? r.u16('parameter length') : r.u8('parameter length'), 'parameter');
    if (type !== PARAMETER_CAPABILITIES) {
      throw openError(OpenSubcode.unsupportedOptionalParameter, `optional parameter ${type}`, at, 'parameter type', 'RFC 4271 section 6.2');
    }
    while (!parameter.done) {
      const start = parameter.pos;
      const code = parameter.u8('capability code');
      const capability = decodeCapability(code, parameter.sub(parameter.u8('capability length'), 'capability'));
      if (capability.kind === 'unknown' && isEssential(code)) {
        throw openError(
          OpenSubcode.unspecific,
          `capability ${code} of ${capability.value.length} octets`,
          start,
          'capability',
          'RFC 5492 section 4',
        );
      }
      out.push(capability);
    }
  }
  return out;
}

function checkCapabilities(capabilities: readonly Capability[], offset: number): void {
  let role: number | undefined;
  for (const c of capabilities) {
    if (c.kind === 'four-octet-as' && c.asn === 0) {
      throw openError(OpenSubcode.badPeerAs, 'AS 0 in the four-octet-as capability', offset, 'capability', 'RFC 7607 section 2');
    }
    if (c.kind !== 'role') continue;
    if (role !== undefined && role !== c.role) {
      throw openError(OpenSubcode.roleMismatch, `roles ${role} and ${c.role} at once`, offset, 'capability', 'RFC 9234 section 4.2');
    }
    role = c.role;
  }
}

/** Capabilities go into one optional parameter; the extended form (RFC 9072) is used only where they do not fit the short one. */
export function encodeOpen(w: Writer, open: OpenMessage): void {
  const capabilities = new Writer(128);
  for (const c of open.capabilities) encodeCapability(capabilities, c);
  const size = capabilities.length;
  withHeader(w, 'open', () => {
    w.u8(open.version).u16(open.myAs).u16(open.holdTime).u32(open.routerId.w0);
    if (size === 0) w.u8(0);
    else if (size + 2 <= 255)
      w.u8(size + 2)
        .u8(PARAMETER_CAPABILITIES)
        .u8(size);
    else
      w.u8(255)
        .u8(PARAMETER_EXTENDED)
        .u16(size + 3)
        .u8(PARAMETER_CAPABILITIES)
        .u16(size);
    w.bytes(capabilities.view());
  });
}
