import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate with its key, both in PEM. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  readonly name: string;
  /** Whom it is from; itself when absent. */
  readonly issuer?: Authority;
  /** Names and IPv4 addresses that it is for. */
  readonly hosts?: readonly string[];
  readonly isAuthority?: boolean;
  /** Milliseconds since the epoch; from a day ago to a day from now when absent. */
  readonly from?: number;
  readonly until?: number;
}

export interface Authority extends Certified {
  readonly name: string;
  readonly signer: KeyObject;
}

const DAY = 86_400_000;
const [BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, UTF8, SEQUENCE, SET] = [0x01, 0x02, 0x03, 0x04, 0x0c, 0x30, 0x31];
const GENERALIZED_TIME = 0x18;
/** Object identifiers as they are encoded: commonName, ecdsa-with-SHA256, basicConstraints, subjectAltName. */
const OID = { name: '0603550403', signature: '06082a8648ce3d040302', basicConstraints: '0603551d13', altName: '0603551d11' };

/** An X.509 certificate (RFC 5280) with a P-256 key, made for a test. */
export function makeCertificate(options: CertificateOptions): Authority {
  const { name, issuer, hosts = [], isAuthority = false, from = Date.now() - DAY, until = Date.now() + DAY } = options;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const constraints = der(SEQUENCE, ...(isAuthority ? [der(BOOLEAN, Buffer.of(0xff))] : []));
  const extensions = [
    extension(OID.basicConstraints, constraints, true),
    ...(hosts.length > 0 ? [extension(OID.altName, der(SEQUENCE, ...hosts.map(generalName)), false)] : []),
  ];
  const algorithm = der(SEQUENCE, Buffer.from(OID.signature, 'hex'));
  const body = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.of(2))),
    der(INTEGER, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    commonName(issuer?.name ?? name),
    der(SEQUENCE, time(from), time(until)),
    commonName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, ...extensions)),
  );
  const signature = sign('sha256', body, issuer?.signer ?? privateKey);
  const whole = der(SEQUENCE, body, algorithm, der(BIT_STRING, Buffer.of(0), signature));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    name,
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    signer: privateKey,
  };
}

/** DER (X.690): tag, length, contents. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function commonName(name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, Buffer.from(OID.name, 'hex'), der(UTF8, Buffer.from(name)))));
}

/** `YYYYMMDDHHMMSSZ`. */
function time(at: number): Buffer {
  return der(GENERALIZED_TIME, Buffer.from(`${new Date(at).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`));
}

function extension(oid: string, value: Buffer, isCritical: boolean): Buffer {
  const critical = isCritical ? [der(BOOLEAN, Buffer.of(0xff))] : [];
  return der(SEQUENCE, Buffer.from(oid, 'hex'), ...critical, der(OCTET_STRING, value));
}

function generalName(host: string): Buffer {
  const isAddress = /^\d+(?:\.\d+){3}$/.test(host);
  return isAddress ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host));
}
