import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Authority, type Certified, makeCertificate } from '../../../../../../test/certificates/make-certificate.ts';
import { dispose, events, file, held, hosts, listen, prepare, type Running, refresh, start } from './test-fixtures.ts';

beforeEach(prepare);
afterEach(dispose);

const DAY = 86_400_000;
const MEMBERS = ['198.51.100.0/32 feed', '198.51.100.1/32 feed'];
/** The authority of the list's servers, and one that nobody named. */
let authority: Authority;
let stranger: Authority;
let good: Certified;
let server: Server;
let address = '';
let handler: RequestListener;

const answer = (_: unknown, response: ServerResponse): void => {
  response.end(`${hosts(2).join('\n')}\n`);
};

beforeAll(() => {
  authority = makeCertificate({ name: 'Lists', isAuthority: true });
  stranger = makeCertificate({ name: 'Stranger', isAuthority: true });
  good = makeCertificate({ name: 'server', issuer: authority, hosts: ['127.0.0.1'] });
});

beforeEach(async () => {
  handler = answer;
  server = createServer(good, (request, response) => handler(request, response));
  address = `https://127.0.0.1:${await listen(server)}`;
  writeFileSync(file('ca.pem'), authority.cert);
});

const feed = (more = `, ca_file: ${file('ca.pem')}`): string => `{ name: web, table: spammers, url: "${address}/list?key=secret"${more} }`;

/** The message, with nothing of where the server is. */
const told = async (running: Running): Promise<string> =>
  String(await refresh(running, 'web'))
    .replaceAll(address, 'https://server')
    .replace(/^feed web: /, '');

/** A feed that has got its list with a certificate that is right. */
async function filled(): Promise<Running> {
  const running = start(`[${feed()}]`);
  expect(await refresh(running, 'web')).toMatchObject({ members: 2 });
  expect(held(running)).toEqual(MEMBERS);
  return running;
}

/** A certificate of the authority's, with an authority between. */
function between(): { readonly middle: Authority; readonly leaf: Certified } {
  const middle = makeCertificate({ name: 'Between', issuer: authority, isAuthority: true });
  return { middle, leaf: makeCertificate({ name: 'server', issuer: middle, hosts: ['127.0.0.1'] }) };
}

const STAYS = ' (certificate); what it had stays';

describe('over https', () => {
  afterEach(() => expect(JSON.stringify(events)).not.toContain('secret'));

  it.each([
    {
      name: 'of another authority',
      make: () => makeCertificate({ name: 'server', issuer: stranger, hosts: ['127.0.0.1'] }),
      want: "the server's certificate is from no authority of the ca_file /ca.pem, or the server does not send the certificates between",
    },
    {
      name: 'of another authority, which the server sends along',
      make: () => {
        const leaf = makeCertificate({ name: 'server', issuer: stranger, hosts: ['127.0.0.1'] });
        return { ...leaf, cert: leaf.cert + stranger.cert };
      },
      want: "the server's certificate is from no authority of the ca_file /ca.pem, or the server does not send the certificates between",
    },
    {
      name: 'of another authority with the same name',
      make: () => makeCertificate({ name: 'server', issuer: { ...stranger, name: authority.name }, hosts: ['127.0.0.1'] }),
      want: "the server's certificate is refused: certificate signature failure",
    },
    {
      name: 'for another name',
      make: () => makeCertificate({ name: '127.0.0.1', issuer: authority, hosts: ['lists.example.net', '192.0.2.1'] }),
      want: "the server's certificate is for DNS:lists.example.net, IP Address:192.0.2.1, and not for 127.0.0.1: ask for the list by a name that is in it, or have it renewed with this one",
    },
    {
      name: 'for no name',
      make: () => makeCertificate({ name: '127.0.0.1', issuer: authority }),
      want: "the server's certificate is for no name, and not for 127.0.0.1: ask for the list by a name that is in it, or have it renewed with this one",
    },
    {
      name: 'that has expired',
      make: () =>
        makeCertificate({
          name: 'server',
          issuer: authority,
          hosts: ['127.0.0.1'],
          from: Date.now() - 2 * DAY,
          until: Date.now() - 60_000,
        }),
      want: "the server's certificate, or one that it depends on, has expired: it has to be renewed there, unless the clock of this host is wrong",
    },
    {
      name: 'that is not valid yet',
      make: () => makeCertificate({ name: 'server', issuer: authority, hosts: ['127.0.0.1'], from: Date.now() + DAY / 2 }),
      want: "the server's certificate, or one that it depends on, is not valid yet: is the clock of this host right?",
    },
    {
      name: 'signed by itself',
      make: () => makeCertificate({ name: 'server', hosts: ['127.0.0.1'] }),
      want: "the server's certificate is signed by itself alone, and is not in the ca_file /ca.pem",
    },
    {
      name: 'of an authority between that is not sent',
      make: () => between().leaf,
      want: "the server's certificate is from no authority of the ca_file /ca.pem, or the server does not send the certificates between",
    },
  ])('a certificate $name is refused, and what the list had stays', async ({ make, want }) => {
    const running = await filled();
    server.setSecureContext(make());
    expect(await told(running)).toBe(`https://server/list?...: ${want}${STAYS}`);
    expect(held(running)).toEqual(MEMBERS);
    expect(running.feeds.list()).toMatchObject([{ members: 2, failure: { code: 'certificate' } }]);
    server.setSecureContext(good);
    expect(await refresh(running, 'web')).toMatchObject({ members: 2 });
    expect(running.feeds.list()[0]?.failure).toBeUndefined();
  });

  it('an authority of our own is not known without ca_file, and the feed gets nothing', async () => {
    const running = start(`[${feed('')}]`);
    expect(await told(running)).toBe(
      `https://server/list?...: the server's certificate is from an authority that is not known here: if it is one of your own, name a file with its certificate as ca_file${STAYS}`,
    );
    server.setSecureContext(makeCertificate({ name: 'server', hosts: ['127.0.0.1'] }));
    expect(await told(running)).toBe(
      `https://server/list?...: the server's certificate is signed by itself alone: to trust just this one, name a file with it as ca_file${STAYS}`,
    );
    expect(held(running)).toEqual([]);
  });

  it.each([
    { name: 'several authorities', make: () => ({ ca: `# ours\n${stranger.cert}\n${authority.cert}`, cert: good }) },
    {
      name: 'an authority between alone',
      make: () => {
        const { middle, leaf } = between();
        return { ca: middle.cert, cert: leaf };
      },
    },
    {
      name: 'the first authority, where the server sends the one between',
      make: () => {
        const { middle, leaf } = between();
        return { ca: authority.cert, cert: { ...leaf, cert: leaf.cert + middle.cert } };
      },
    },
    {
      name: 'a certificate that the server has signed itself',
      make: () => {
        const own = makeCertificate({ name: 'server', hosts: ['127.0.0.1'] });
        return { ca: own.cert, cert: own };
      },
    },
    { name: 'one that has expired beside one that has not', make: () => ({ ca: expired().cert + authority.cert, cert: good }) },
  ])('ca_file may have $name', async ({ make }) => {
    const { ca, cert } = make();
    writeFileSync(file('ca.pem'), ca);
    server.setSecureContext(cert);
    const running = start(`[${feed()}]`);
    expect(await refresh(running, 'web')).toMatchObject({ members: 2 });
  });

  it('ca_file is read each time, also through a link', async () => {
    const running = await filled();
    const renewed = makeCertificate({ name: 'Lists', isAuthority: true });
    server.setSecureContext(makeCertificate({ name: 'server', issuer: renewed, hosts: ['127.0.0.1'] }));
    expect(await told(running)).toContain(STAYS);
    writeFileSync(file('renewed.pem'), renewed.cert);
    rmSync(file('ca.pem'));
    symlinkSync('renewed.pem', file('ca.pem'));
    expect(await refresh(running, 'web')).toMatchObject({ members: 2 });
  });

  it.each([
    { name: 'is not there', make: (path: string) => rmSync(path), want: '/ca.pem: no such file' },
    { name: 'is empty', make: '', want: 'no certificate is in /ca.pem, none begins with -----BEGIN CERTIFICATE-----' },
    { name: 'has only a key', make: () => good.key, want: 'no certificate is in /ca.pem, but a private key: it must not be here' },
    { name: 'is in DER', make: () => der(authority.cert), want: 'no certificate is in /ca.pem: it is in DER, and has to be in PEM' },
    { name: 'is cut off', make: () => authority.cert.slice(0, -40), want: 'a certificate of /ca.pem is not whole' },
    {
      name: 'is damaged',
      make: () => good.cert + authority.cert.replace(/^MI/m, 'AA'),
      want: 'certificate 2 of /ca.pem cannot be read',
    },
    { name: 'has expired', make: () => expired().cert, want: 'the certificate of /ca.pem has expired on 2020-01-02' },
    {
      name: 'has expired altogether',
      make: () => expired().cert + expired(2021).cert,
      want: 'every certificate of /ca.pem has expired, the last on 2021-01-02',
    },
    { name: 'is too large', make: '#'.repeat(2 ** 20 + 1), want: '/ca.pem has 1048577 octets, at most 1048576' },
  ])('a ca_file that $name is told, and what the list had stays', async ({ make, want }) => {
    const running = await filled();
    const text = typeof make === 'string' ? make : make(file('ca.pem'));
    if (text !== undefined) writeFileSync(file('ca.pem'), text);
    expect(await told(running)).toBe(`ca_file: ${want} (ca); what it had stays`);
    expect(held(running)).toEqual(MEMBERS);
  });

  it('another ca_file counts at once', async () => {
    const running = await filled();
    writeFileSync(file('other.pem'), stranger.cert);
    running.configure(`[${feed(`, ca_file: ${file('other.pem')}`)}]`);
    expect(await told(running)).toContain('from no authority of the ca_file /other.pem');
    expect(held(running)).toEqual(MEMBERS);
  });

  it('a redirect to http is refused, and one to https is checked against the same authorities', async () => {
    const running = await filled();
    let asked = 0;
    const plain = await listen(
      createHttpServer((request, response) => {
        asked++;
        answer(request, response);
      }),
    );
    handler = (_, response) => response.writeHead(302, { location: `http://127.0.0.1:${plain}/list` }).end();
    expect(await told(running)).toBe(
      `https://server/list?... redirects from https to http: http://127.0.0.1:${plain}/list (redirect); what it had stays`,
    );
    expect([asked, held(running)]).toEqual([0, MEMBERS]);
    const elsewhere = createServer(makeCertificate({ name: 'server', issuer: stranger, hosts: ['127.0.0.1'] }), answer);
    const port = await listen(elsewhere);
    handler = (_, response) => response.writeHead(302, { location: `https://127.0.0.1:${port}/moved` }).end();
    expect(await told(running)).toContain(
      `https://127.0.0.1:${port}/moved: the server's certificate is from no authority of the ca_file /ca.pem`,
    );
    elsewhere.setSecureContext(good);
    expect(await refresh(running, 'web')).toMatchObject({ members: 2 });
  });

  it('no environment leaves certificates unchecked', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    try {
      expect(await told(start(`[${feed('')}]`))).toContain('is from an authority that is not known here');
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('what is no TLS is told', async () => {
    const port = await listen(createHttpServer(answer));
    address = `https://127.0.0.1:${port}`;
    expect(await told(start(`[${feed()}]`))).toBe(
      'https://server/list?...: what answers there is no TLS: is it for http? (network); what it had stays',
    );
  });
});

/** An authority whose time ended at the beginning of a year. */
function expired(year = 2020): Certified {
  return makeCertificate({ name: 'Old', isAuthority: true, from: Date.UTC(year, 0, 1), until: Date.UTC(year, 0, 2) });
}

function der(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----.*-----/g, ''), 'base64');
}
