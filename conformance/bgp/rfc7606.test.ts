import { decodeUpdate, describeMessage, sessionContext } from '@weir/bgp/codec';
import { describe, expect, it } from 'vitest';
import { updateBytes } from './build.ts';
import { BASE, NEXT_HOP, ORIGIN, ROWS, type Row } from './rfc7606.ts';

function judge(row: Row, session: 'ebgp' | 'ibgp'): ReturnType<typeof describeMessage> {
  return describeMessage(updateBytes(row), { session, as4: row.as4 ?? true });
}

const prefixes = (routes: readonly { readonly prefix?: string | undefined }[]): readonly (string | undefined)[] =>
  routes.map((r) => r.prefix);

describe.each(['ebgp', 'ibgp'] as const)('RFC 7606, %s', (session) => {
  it.each(ROWS.map((row) => [row.name, row] as const))('%s', (_name, row) => {
    const got = judge(row, session);
    expect(got.outcome).toBe(row[session]);
    if (got.outcome === 'session-reset') {
      const { code, subcode, data } = got.notification ?? {};
      if (row.notification !== undefined) expect(`${code}/${subcode} ${data}`).toBe(row.notification);
      expect(got.announce.length + got.withdraw.length).toBe(0);
      return;
    }
    const strongest = got.errors.filter((e) => e.action === got.outcome);
    const read = session === 'ibgp' || !row.onlyInternal;
    if (got.outcome !== 'accept' && read) expect(strongest.map((e) => e.rfc)).toContain(row.rfc);
    if (got.outcome === 'accept') expect(got.errors).toEqual([]);
    if (got.outcome === 'treat-as-withdraw') {
      expect(got.announce).toEqual([]);
      expect(got.withdraw.length).toBeGreaterThan(0);
    }
  });
});

describe('what is applied', () => {
  it('a discarded attribute is absent and the routes stay', () => {
    const got = describeMessage(updateBytes({ attributes: `${BASE} 400504 00000064 c00804 fc000050`, nlri: '18 c63364' }));
    expect(got.attributes).toEqual({ origin: 'igp', asPath: [64513], nextHop: '192.0.2.1', communities: ['64512:80'] });
    expect(prefixes(got.announce)).toEqual(['198.51.100.0/24']);
  });

  it('the first of two counts', () => {
    const got = describeMessage(updateBytes({ attributes: `${BASE} c00804 fc000050 c00804 fc000051`, nlri: '18 c63364' }));
    expect(got.attributes['communities']).toEqual(['64512:80']);
  });

  it('treat-as-withdraw withdraws both families and keeps what was withdrawn anyway', () => {
    const reach = '800e1a 000201 10 20010db8000000000000000000000001 00 2020010db8';
    const got = describeMessage(updateBytes({ withdrawn: '08 0a', attributes: `${reach} ${BASE} c00800`, nlri: '18 c63364' }));
    expect(got.outcome).toBe('treat-as-withdraw');
    expect(prefixes(got.withdraw).toSorted()).toEqual(['10.0.0.0/8', '198.51.100.0/24', '2001:db8::/32']);
  });

  it('a disabled family leaves the other one alone', () => {
    const got = describeMessage(updateBytes({ attributes: `800e0e 000201 04 c0000201 00 2020010db8 ${BASE}`, nlri: '18 c63364' }));
    expect(prefixes(got.announce)).toEqual(['198.51.100.0/24']);
    expect(got.errors[0]).toMatchObject({ action: 'afi-safi-disable', family: 'ipv6 unicast', attribute: 14 });
  });

  it('the strongest error is in the list however many come before it', () => {
    const twice = 'c06300'.repeat(100);
    const got = describeMessage(updateBytes({ attributes: `${BASE} ${twice} c00800`, nlri: '18 c63364' }));
    expect(got.outcome).toBe('treat-as-withdraw');
    expect(got.errors.length).toBe(64);
  });

  it('host bits are cleared', () => {
    const reach = '800e18 000201 10 20010db8000000000000000000000001 00 09 ffff';
    const message = decodeUpdate(updateBytes({ attributes: `${reach} ${BASE}`, nlri: '11 c633ff 05 ff 20 ffffffff' }), sessionContext());
    expect(message.announce.map((a) => [...a.run.words])).toEqual([
      [0xc6338000, 0xf8000000, 0xffffffff],
      [0xff800000, 0, 0, 0],
    ]);
  });

  it('AS4_PATH is ignored beside an AGGREGATOR that needs no companion', () => {
    const path = '400206 0202 fc01 5ba0 c01106 0201 fa56ea00';
    const of = (aggregator: string): unknown =>
      describeMessage(
        updateBytes({ attributes: `${ORIGIN} ${path} ${NEXT_HOP} ${aggregator} c01208 0000fc02 c0000209`, nlri: '18 c63364' }),
        {
          as4: false,
        },
      ).attributes;
    expect(of('c00706 5ba0 c0000208')).toMatchObject({ asPath: [64513, 4200000000], aggregator: { as: 64514, address: '192.0.2.9' } });
    expect(of('c00706 fc03 c0000208')).toMatchObject({ asPath: [64513, 23456], aggregator: { as: 64515, address: '192.0.2.8' } });
  });

  it('offsets count from the header', () => {
    const got = describeMessage(updateBytes({ attributes: `${BASE} c00700`, nlri: '18 c63364' }));
    expect(got.errors[0]).toEqual({
      offset: 23 + 20 + 3,
      attribute: 7,
      message: 'AGGREGATOR: 0 octets, not 8',
      action: 'attribute-discard',
      rfc: 'RFC 7606 section 7.7',
    });
  });
});
