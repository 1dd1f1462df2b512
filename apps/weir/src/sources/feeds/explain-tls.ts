import { FeedError } from '../../model/feed.ts';
import { shownUrl } from './shown-url.ts';

/** Characters of the names of a certificate that are told. */
const SHOWN_NAMES = 200;
/** Nobody who is trusted has signed it. */
const UNKNOWN = [
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_UNTRUSTED',
];
/** Other reasons for which a certificate is refused (X509_V_ERR of OpenSSL). */
const REFUSED = [
  'CERT_SIGNATURE_FAILURE',
  'CERT_CHAIN_TOO_LONG',
  'CERT_REVOKED',
  'CERT_REJECTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
];

/** What is wrong with a server's certificate or its TLS, and what to do; undefined for another error. */
export function explainTls(error: Error, url: URL, caFile: string | undefined): FeedError | undefined {
  const code = 'code' in error ? String(error.code) : '';
  if (error.message.includes('wrong version number') || error.message.includes('packet length too long'))
    return new FeedError('network', `${shownUrl(url)}: what answers there is no TLS: is it for http?`);
  const why = certificateProblem(error, code, url, caFile);
  return why === undefined ? undefined : new FeedError('certificate', `${shownUrl(url)}: ${why}`);
}

function certificateProblem(error: Error, code: string, url: URL, caFile: string | undefined): string | undefined {
  if (code === 'CERT_HAS_EXPIRED')
    return "the server's certificate, or one that it depends on, has expired: it has to be renewed there, unless the clock of this host is wrong";
  if (code === 'CERT_NOT_YET_VALID')
    return "the server's certificate, or one that it depends on, is not valid yet: is the clock of this host right?";
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `the server's certificate is for ${namesOf(error)}, and not for ${url.hostname}: ask for the list by a name that is in it, or have it renewed with this one`;
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT')
    return `the server's certificate is signed by itself alone${caFile === undefined ? ': to trust just this one, name a file with it as ca_file' : `, and is not in the ca_file ${caFile}`}`;
  if (UNKNOWN.includes(code))
    return caFile === undefined
      ? "the server's certificate is from an authority that is not known here: if it is one of your own, name a file with its certificate as ca_file"
      : `the server's certificate is from no authority of the ca_file ${caFile}, or the server does not send the certificates between`;
  return REFUSED.includes(code) ? `the server's certificate is refused: ${error.message}` : undefined;
}

function namesOf(error: Error): string {
  const cert: unknown = 'cert' in error ? error.cert : undefined;
  const names: unknown =
    typeof cert === 'object' && cert !== null && 'subjectaltname' in cert && cert.subjectaltname ? cert.subjectaltname : undefined;
  return typeof names === 'string' ? names.slice(0, SHOWN_NAMES) : 'no name';
}
