import type { DecodedMessageJson } from '@weir/bgp/codec';

type Outcome = DecodedMessageJson['outcome'];

/** One UPDATE and what is to become of it. Fields are hex; white space is free. */
export interface Row {
  readonly name: string;
  /** The section that the strongest error cites, or that makes it none. */
  readonly rfc: string;
  /** `base` stands for ORIGIN igp, AS_PATH 64513 and NEXT_HOP 192.0.2.1. */
  readonly attributes: string;
  readonly nlri?: string;
  readonly withdrawn?: string;
  /** 4-octet AS numbers unless false. */
  readonly as4?: boolean;
  /** Not read at all on an external session. */
  readonly onlyInternal?: true;
  readonly ebgp: Outcome;
  readonly ibgp: Outcome;
  /** Code and subcode, in decimal, and data of the NOTIFICATION where the session ends. */
  readonly notification?: string;
}

export const ORIGIN = '40010100';
const AS_PATH = '400206 0201 0000fc01';
export const NEXT_HOP = '400304 c0000201';
export const BASE = `${ORIGIN} ${AS_PATH} ${NEXT_HOP}`;
/** The same from a speaker of 2-octet AS numbers. */
const BASE2 = `${ORIGIN} 400204 0201 fc01 ${NEXT_HOP}`;
const NLRI = '18 c63364';

type Extra = Partial<Omit<Row, 'name' | 'rfc' | 'attributes'>>;

/** The same on both kinds of session. */
function both(outcome: Outcome, name: string, rfc: string, attributes: string, extra: Extra = {}): Row {
  return { name, rfc, attributes, nlri: NLRI, ebgp: outcome, ibgp: outcome, ...extra };
}

const accept = both.bind(undefined, 'accept');
const discard = both.bind(undefined, 'attribute-discard');
const withdraw = both.bind(undefined, 'treat-as-withdraw');
const disable = both.bind(undefined, 'afi-safi-disable');
const reset = both.bind(undefined, 'session-reset');

/** An attribute from inside an AS: discarded unread from outside, judged inside. */
function internal(ibgp: Outcome, name: string, rfc: string, attributes: string): Row {
  return { name, rfc, attributes, nlri: NLRI, ebgp: 'attribute-discard', ibgp, onlyInternal: true };
}

const NEXT_HOP6 = '20010db8000000000000000000000001';
const reach6 = (value: string): string => `900e ${(value.replace(/\s/g, '').length / 2).toString(16).padStart(4, '0')} ${value}`;
const unreach6 = (value: string): string => `900f ${(value.replace(/\s/g, '').length / 2).toString(16).padStart(4, '0')} ${value}`;
const bare = { nlri: '' };

const wellKnown: readonly Row[] = [
  accept('the base', 'RFC 4271 section 4.3', BASE),
  withdraw('ORIGIN of 0 octets', 'RFC 7606 section 7.1', `400100 ${AS_PATH} ${NEXT_HOP}`),
  withdraw('ORIGIN of 2 octets', 'RFC 7606 section 7.1', `4001020000 ${AS_PATH} ${NEXT_HOP}`),
  withdraw('ORIGIN 3', 'RFC 7606 section 7.1', `40010103 ${AS_PATH} ${NEXT_HOP}`),
  withdraw('ORIGIN marked optional', 'RFC 7606 section 3 (c)', `c0010100 ${AS_PATH} ${NEXT_HOP}`),
  withdraw('ORIGIN not transitive', 'RFC 7606 section 3 (c)', `00010100 ${AS_PATH} ${NEXT_HOP}`),
  accept('ORIGIN with the Partial bit, which is not checked', 'RFC 7606 section 3 (c)', `60010100 ${AS_PATH} ${NEXT_HOP}`),
  accept('ORIGIN with unused flag bits', 'RFC 4271 section 4.3', `4f 01 0001 00 ${AS_PATH} ${NEXT_HOP}`.replace('4f', '5f')),
  withdraw('ORIGIN missing', 'RFC 7606 section 3 (d)', `${AS_PATH} ${NEXT_HOP}`),
  accept('AS_PATH empty', 'RFC 7606 section 4', `${ORIGIN} 400200 ${NEXT_HOP}`),
  withdraw('AS_PATH segment of type 0', 'RFC 7606 section 7.2', `${ORIGIN} 400206 0001 0000fc01 ${NEXT_HOP}`),
  withdraw('AS_PATH segment of type 5', 'RFC 7606 section 7.2', `${ORIGIN} 400206 0501 0000fc01 ${NEXT_HOP}`),
  withdraw('AS_PATH segment overrun', 'RFC 7606 section 7.2', `${ORIGIN} 400206 0202 0000fc01 ${NEXT_HOP}`),
  withdraw('AS_PATH segment underrun', 'RFC 7606 section 7.2', `${ORIGIN} 400207 0201 0000fc01 02 ${NEXT_HOP}`),
  withdraw('AS_PATH segment without members', 'RFC 7606 section 7.2', `${ORIGIN} 400202 0200 ${NEXT_HOP}`),
  withdraw('AS_PATH of 2-octet numbers from a 4-octet speaker', 'RFC 7606 section 7.2', `${ORIGIN} 400204 0201 fc01 ${NEXT_HOP}`),
  withdraw('AS 0 in AS_PATH', 'RFC 7607 section 2', `${ORIGIN} 40020a 0202 0000fc01 00000000 ${NEXT_HOP}`),
  withdraw('AS 0 in an AS_SET', 'RFC 7607 section 2', `${ORIGIN} 40020c 0201 0000fc01 0101 00000000 ${NEXT_HOP}`),
  { ...withdraw('confederation sequence', 'RFC 5065 section 5', `${ORIGIN} 400206 0301 0000fc01 ${NEXT_HOP}`), ibgp: 'accept' },
  { ...withdraw('confederation set', 'RFC 5065 section 5', `${ORIGIN} 400206 0401 0000fc01 ${NEXT_HOP}`), ibgp: 'accept' },
  withdraw('AS_PATH marked optional', 'RFC 7606 section 3 (c)', `${ORIGIN} c00206 0201 0000fc01 ${NEXT_HOP}`),
  withdraw('AS_PATH missing', 'RFC 7606 section 3 (d)', `${ORIGIN} ${NEXT_HOP}`),
  withdraw('NEXT_HOP of 3 octets', 'RFC 7606 section 7.3', `${ORIGIN} ${AS_PATH} 400303 c00002`),
  withdraw('NEXT_HOP of 0 octets', 'RFC 7606 section 7.3', `${ORIGIN} ${AS_PATH} 400300`),
  withdraw('NEXT_HOP of 16 octets', 'RFC 7606 section 7.3', `${ORIGIN} ${AS_PATH} 400310 ${NEXT_HOP6}`),
  withdraw('NEXT_HOP 0.0.0.0', 'RFC 7606 section 3 (e)', `${ORIGIN} ${AS_PATH} 400304 00000000`),
  withdraw('NEXT_HOP 224.0.0.1', 'RFC 7606 section 3 (e)', `${ORIGIN} ${AS_PATH} 400304 e0000001`),
  withdraw('NEXT_HOP 255.255.255.255', 'RFC 7606 section 3 (e)', `${ORIGIN} ${AS_PATH} 400304 ffffffff`),
  accept('NEXT_HOP 127.0.0.1', 'RFC 4271 section 6.3', `${ORIGIN} ${AS_PATH} 400304 7f000001`),
  withdraw('NEXT_HOP marked optional', 'RFC 7606 section 3 (c)', `${ORIGIN} ${AS_PATH} c00304 c0000201`),
  withdraw('NEXT_HOP missing', 'RFC 7606 section 3 (d)', `${ORIGIN} ${AS_PATH}`),
  internal('accept', 'LOCAL_PREF', 'RFC 7606 section 7.5', `${BASE} 400504 00000064`),
  internal('treat-as-withdraw', 'LOCAL_PREF of 3 octets', 'RFC 7606 section 7.5', `${BASE} 400503 000064`),
  internal('treat-as-withdraw', 'LOCAL_PREF of 0 octets', 'RFC 7606 section 7.5', `${BASE} 400500`),
  internal('treat-as-withdraw', 'LOCAL_PREF marked optional', 'RFC 7606 section 3 (c)', `${BASE} c00504 00000064`),
  accept('ATOMIC_AGGREGATE', 'RFC 7606 section 7.6', `${BASE} 400600`),
  discard('ATOMIC_AGGREGATE of 1 octet', 'RFC 7606 section 7.6', `${BASE} 40060100`),
  withdraw('ATOMIC_AGGREGATE marked optional', 'RFC 7606 section 3 (c)', `${BASE} c00600`),
  reset('unknown well-known attribute', 'RFC 4271 section 6.3', `${BASE} 406303 010203`, { notification: '3/2 406303010203' }),
];

const optional: readonly Row[] = [
  accept('MULTI_EXIT_DISC', 'RFC 7606 section 7.4', `${BASE} 800404 00000005`),
  withdraw('MULTI_EXIT_DISC of 3 octets', 'RFC 7606 section 7.4', `${BASE} 800403 000005`),
  withdraw('MULTI_EXIT_DISC of 0 octets', 'RFC 7606 section 7.4', `${BASE} 800400`),
  withdraw('MULTI_EXIT_DISC marked transitive', 'RFC 7606 section 3 (c)', `${BASE} c00404 00000005`),
  accept('AGGREGATOR', 'RFC 7606 section 7.7', `${BASE} c00708 0000fc01 c0000201`),
  discard('AGGREGATOR of 6 octets from a 4-octet speaker', 'RFC 7606 section 7.7', `${BASE} c00706 fc01 c0000201`),
  discard('AGGREGATOR of 8 octets from a 2-octet speaker', 'RFC 7606 section 7.7', `${BASE2} c00708 0000fc01 c0000201`, { as4: false }),
  accept('AGGREGATOR of 6 octets from a 2-octet speaker', 'RFC 7606 section 7.7', `${BASE2} c00706 fc01 c0000201`, { as4: false }),
  discard('AGGREGATOR of 0 octets', 'RFC 7606 section 7.7', `${BASE} c00700`),
  discard('AS 0 in AGGREGATOR', 'RFC 7607 section 2', `${BASE} c00708 00000000 c0000201`),
  withdraw('AGGREGATOR not transitive', 'RFC 7606 section 3 (c)', `${BASE} 800708 0000fc01 c0000201`),
  accept('COMMUNITIES', 'RFC 7606 section 7.8', `${BASE} c00804 fc000050`),
  withdraw('COMMUNITIES of 0 octets', 'RFC 7606 section 7.8', `${BASE} c00800`),
  withdraw('COMMUNITIES of 3 octets', 'RFC 7606 section 7.8', `${BASE} c00803 fc0000`),
  withdraw('COMMUNITIES of 5 octets', 'RFC 7606 section 7.8', `${BASE} c00805 fc00005000`),
  withdraw('COMMUNITIES not transitive', 'RFC 7606 section 3 (c)', `${BASE} 800804 fc000050`),
  internal('accept', 'ORIGINATOR_ID', 'RFC 7606 section 7.9', `${BASE} 800904 c0000203`),
  internal('treat-as-withdraw', 'ORIGINATOR_ID of 5 octets', 'RFC 7606 section 7.9', `${BASE} 800905 c000020300`),
  internal('treat-as-withdraw', 'ORIGINATOR_ID of 0 octets', 'RFC 7606 section 7.9', `${BASE} 800900`),
  internal('treat-as-withdraw', 'ORIGINATOR_ID marked transitive', 'RFC 7606 section 3 (c)', `${BASE} c00904 c0000203`),
  internal('accept', 'CLUSTER_LIST', 'RFC 7606 section 7.10', `${BASE} 800a08 c0000203 c0000204`),
  internal('treat-as-withdraw', 'CLUSTER_LIST of 0 octets', 'RFC 7606 section 7.10', `${BASE} 800a00`),
  internal('treat-as-withdraw', 'CLUSTER_LIST of 6 octets', 'RFC 7606 section 7.10', `${BASE} 800a06 c00002030000`),
  internal('treat-as-withdraw', 'CLUSTER_LIST marked transitive', 'RFC 7606 section 3 (c)', `${BASE} c00a04 c0000203`),
  accept('EXTENDED COMMUNITIES', 'RFC 7606 section 7.14', `${BASE} c01008 0002fc0000000050`),
  withdraw('EXTENDED COMMUNITIES of 0 octets', 'RFC 7606 section 7.14', `${BASE} c01000`),
  withdraw('EXTENDED COMMUNITIES of 7 octets', 'RFC 7606 section 7.14', `${BASE} c01007 0002fc00000000`),
  withdraw('EXTENDED COMMUNITIES not transitive', 'RFC 7606 section 3 (c)', `${BASE} 801008 0002fc0000000050`),
  accept('IPv6 EXTENDED COMMUNITIES', 'RFC 7606 section 7.15', `${BASE} c01914 0002 ${NEXT_HOP6} 0050`),
  withdraw('IPv6 EXTENDED COMMUNITIES of 0 octets', 'RFC 7606 section 7.15', `${BASE} c01900`),
  withdraw('IPv6 EXTENDED COMMUNITIES of 19 octets', 'RFC 7606 section 7.15', `${BASE} c01913 0002 ${NEXT_HOP6} 00`),
  accept('LARGE_COMMUNITIES', 'RFC 8092 section 6', `${BASE} c0200c 0000fc00 00000001 00000002`),
  accept(
    'LARGE_COMMUNITIES with the same one twice',
    'RFC 8092 section 5',
    `${BASE} c02018 0000fc000000000100000002 0000fc000000000100000002`,
  ),
  withdraw('LARGE_COMMUNITIES of 0 octets', 'RFC 8092 section 6', `${BASE} c02000`),
  withdraw('LARGE_COMMUNITIES of 11 octets', 'RFC 8092 section 6', `${BASE} c0200b 0000fc00 00000001 000000`),
  withdraw('LARGE_COMMUNITIES not transitive', 'RFC 7606 section 3 (c)', `${BASE} 80200c 0000fc00 00000001 00000002`),
  accept('ONLY_TO_CUSTOMER', 'RFC 9234 section 5', `${BASE} c02304 0000fc01`),
  withdraw('ONLY_TO_CUSTOMER of 2 octets', 'RFC 9234 section 5', `${BASE} c02302 fc01`),
  withdraw('ONLY_TO_CUSTOMER not transitive', 'RFC 7606 section 3 (c)', `${BASE} 802304 0000fc01`),
  internal('accept', 'AIGP', 'RFC 7311 section 3', `${BASE} 801a0b 01000b 0000000000000005`),
  internal('accept', 'AIGP after a TLV of another type', 'RFC 7311 section 3', `${BASE} 801a0f 02000400 01000b 0000000000000005`),
  internal('attribute-discard', 'AIGP TLV of 10 octets', 'RFC 7311 section 3.2', `${BASE} 801a0a 01000a 00000000000005`),
  internal('attribute-discard', 'AIGP TLV overrun', 'RFC 7311 section 3.2', `${BASE} 801a0b 01000c 0000000000000005`),
  internal('attribute-discard', 'AIGP marked transitive', 'RFC 7311 section 3.2', `${BASE} c01a0b 01000b 0000000000000005`),
  discard('AS4_PATH from a 4-octet speaker', 'RFC 6793 section 4.1', `${BASE} c01106 0201 fa56ea00`),
  accept('AS4_PATH from a 2-octet speaker', 'RFC 6793 section 4.2.3', `${BASE2} c01106 0201 fa56ea00`, { as4: false }),
  discard('AS4_PATH of 4 octets', 'RFC 6793 section 6', `${BASE2} c01104 02010000`, { as4: false }),
  discard('AS4_PATH segment overrun', 'RFC 6793 section 6', `${BASE2} c01106 0202 fa56ea00`, { as4: false }),
  discard('AS4_PATH segment of type 9', 'RFC 6793 section 6', `${BASE2} c01106 0901 fa56ea00`, { as4: false }),
  discard('AS 0 in AS4_PATH', 'RFC 7607 section 2', `${BASE2} c01106 0201 00000000`, { as4: false }),
  discard('AS4_AGGREGATOR from a 4-octet speaker', 'RFC 6793 section 4.1', `${BASE} c01208 fa56ea00 c0000201`),
  accept(
    'AS4_AGGREGATOR and AS4_PATH from a 2-octet speaker',
    'RFC 6793 section 4.2.3',
    `${ORIGIN} 400206 0202 fc01 5ba0 ${NEXT_HOP} c00706 5ba0 c0000201 c01106 0201 fa56ea00 c01208 0000fc02 c0000201`,
    { as4: false },
  ),
  discard('AS4_AGGREGATOR of 6 octets', 'RFC 6793 section 6', `${BASE2} c01206 fa56c0000201`, { as4: false }),
  accept('unknown optional transitive attribute', 'RFC 4271 section 5', `${BASE} c06303 010203`),
  accept('unknown optional non-transitive attribute', 'RFC 4271 section 5', `${BASE} 806303 010203`),
];

const structure: readonly Row[] = [
  discard('COMMUNITIES twice', 'RFC 7606 section 3 (g)', `${BASE} c00804 fc000050 c00804 fc000051`),
  discard('the second of two is malformed', 'RFC 7606 section 3 (g)', `${BASE} c00804 fc000050 c00803 fc0000`),
  withdraw('the first of two is malformed', 'RFC 7606 section 7.8', `${BASE} c00803 fc0000 c00804 fc000050`),
  discard('an unknown attribute twice', 'RFC 7606 section 3 (g)', `${BASE} c06301 01 c06301 02`),
  reset(
    'MP_REACH_NLRI twice',
    'RFC 7606 section 3 (g)',
    `${reach6(`000201 10 ${NEXT_HOP6} 00`)} ${reach6(`000201 10 ${NEXT_HOP6} 00`)} ${BASE}`,
    {
      notification: '3/1 ',
    },
  ),
  reset('MP_UNREACH_NLRI twice', 'RFC 7606 section 3 (g)', `${unreach6('000201')} ${unreach6('000201')}`, {
    ...bare,
    notification: '3/1 ',
  }),
  withdraw('the last attribute is longer than the field', 'RFC 7606 section 4', `${BASE} c00808 fc000050`),
  withdraw('an extended length is longer than the field', 'RFC 7606 section 4', `${BASE} d008 ffff fc000050`),
  withdraw('one octet is left', 'RFC 7606 section 4', `${BASE} c0`),
  withdraw('two octets are left', 'RFC 7606 section 4', `${BASE} c008`),
  withdraw('three octets are left and the length is extended', 'RFC 7606 section 4', `${BASE} d00800`),
  reset('MP_REACH_NLRI is longer than the field', 'RFC 7606 section 3 (j)', `${BASE} 800eff 000201`, { notification: '3/1 ' }),
  withdraw('the stronger of discard and withdraw', 'RFC 7606 section 7.8', `${BASE} c00700 c00800`),
  withdraw('the stronger of withdraw and discard', 'RFC 7606 section 7.8', `${BASE} c00800 c00700`),
  reset('the strongest of three', 'RFC 7606 section 3 (h)', `${BASE} c00700 c00800 406300`, { notification: '3/2 406300' }),
  reset('malformed ORIGIN and no routes', 'RFC 7606 section 5.2', `40010103 ${AS_PATH} ${NEXT_HOP}`, {
    ...bare,
    notification: '3/6 40010103',
  }),
  reset('malformed COMMUNITIES beside withdrawn routes', 'RFC 7606 section 5.2', 'c00803fc0000', {
    ...bare,
    withdrawn: NLRI,
    notification: '3/9 c00803fc0000',
  }),
  discard('malformed AGGREGATOR and no routes', 'RFC 7606 section 7.7', `${BASE} c00700`, bare),
  accept('attributes and no routes', 'RFC 7606 section 5.2', BASE, bare),
  accept('withdrawn routes alone', 'RFC 4271 section 4.3', '', { ...bare, withdrawn: NLRI }),
];

const routes: readonly Row[] = [
  reset('prefix of 33 bits', 'RFC 7606 section 5.3', BASE, { nlri: '21 c633640000', notification: '3/10 ' }),
  reset('prefix cut short', 'RFC 7606 section 5.3', BASE, { nlri: '18 c633', notification: '3/10 ' }),
  reset('withdrawn prefix of 33 bits', 'RFC 7606 section 5.3', '', { ...bare, withdrawn: '21 c633640000', notification: '3/10 ' }),
  reset('withdrawn prefix cut short', 'RFC 7606 section 5.3', '', { ...bare, withdrawn: '20 c63364', notification: '3/10 ' }),
  accept('host bits that are set', 'RFC 4271 section 4.3', BASE, { nlri: '17 c63365' }),
  accept('the default route', 'RFC 4271 section 4.3', BASE, { nlri: '00' }),
  accept('IPv6', 'RFC 2545 section 3', `${reach6(`000201 10 ${NEXT_HOP6} 00 2020010db8`)} ${ORIGIN} ${AS_PATH}`, bare),
  accept('IPv6 and IPv4 in one', 'RFC 7606 section 5.1', `${BASE} ${reach6(`000201 10 ${NEXT_HOP6} 00 2020010db8`)}`),
  accept(
    'the reserved octet is not 0',
    'RFC 4760 section 3',
    `${reach6(`000201 10 ${NEXT_HOP6} 07 2020010db8`)} ${ORIGIN} ${AS_PATH}`,
    bare,
  ),
  withdraw(
    'IPv6 with a malformed ORIGIN',
    'RFC 7606 section 7.1',
    `${reach6(`000201 10 ${NEXT_HOP6} 00 2020010db8`)} 40010103 ${AS_PATH}`,
    bare,
  ),
  withdraw('IPv6 without ORIGIN', 'RFC 7606 section 3 (d)', `${reach6(`000201 10 ${NEXT_HOP6} 00 2020010db8`)} ${AS_PATH}`, bare),
  disable(
    'IPv6 prefix of 129 bits',
    'RFC 7606 section 5.3',
    `${reach6(`000201 10 ${NEXT_HOP6} 00 81 ${'20'.repeat(17)}`)} ${ORIGIN} ${AS_PATH}`,
    bare,
  ),
  disable('IPv6 prefix cut short', 'RFC 7606 section 5.3', `${reach6(`000201 10 ${NEXT_HOP6} 00 2020010d`)} ${ORIGIN} ${AS_PATH}`, bare),
  disable(
    'IPv6 next hop of 15 octets',
    'RFC 7606 section 7.11',
    `${reach6(`000201 0f ${NEXT_HOP6} 00 2020010db8`)} ${ORIGIN} ${AS_PATH}`,
    bare,
  ),
  disable('IPv6 next hop of 4 octets', 'RFC 7606 section 7.11', `${reach6('000201 04 c0000201 00 2020010db8')} ${ORIGIN} ${AS_PATH}`, bare),
  disable('IPv6 next hop of 0 octets', 'RFC 7606 section 7.11', `${reach6('000201 00 00 2020010db8')} ${ORIGIN} ${AS_PATH}`, bare),
  disable('IPv6 next hop longer than the attribute', 'RFC 7606 section 7.11', `${reach6('000201 20 20010db8')} ${ORIGIN} ${AS_PATH}`, bare),
  disable('MP_REACH_NLRI of 4 octets', 'RFC 7606 section 5.3', `${reach6('000201 10')} ${ORIGIN} ${AS_PATH}`, bare),
  reset('MP_REACH_NLRI of 2 octets', 'RFC 7606 section 5.3', `${reach6('0002')} ${BASE}`, { notification: '3/9 900e00020002' }),
  disable(
    'MP_REACH_NLRI marked transitive',
    'RFC 7606 section 5.3',
    `c00e1a 000201 10 ${NEXT_HOP6} 00 2020010db8 ${ORIGIN} ${AS_PATH}`,
    bare,
  ),
  disable('a malformed MP_REACH_NLRI beside IPv4 routes', 'RFC 7606 section 7.11', `${reach6('000201 04 c0000201 00 2020010db8')} ${BASE}`),
  disable('afi-safi-disable is stronger than withdraw', 'RFC 7606 section 7.11', `${reach6('000201 04 c0000201 00')} ${BASE} c00800`),
  disable('withdrawn IPv6 prefix of 129 bits', 'RFC 7606 section 5.3', unreach6(`000201 81 ${'20'.repeat(17)}`), bare),
  reset('MP_UNREACH_NLRI of 2 octets', 'RFC 7606 section 5.3', unreach6('0002'), { ...bare, notification: '3/9 900f00020002' }),
  disable('MP_UNREACH_NLRI marked transitive', 'RFC 7606 section 5.3', 'c00f03 000201', bare),
  disable('a family that is not in use', 'RFC 4760 section 8', `${reach6('400446 04 c0000201 00 0011')} ${ORIGIN} ${AS_PATH}`, bare),
  disable('withdrawn routes of a family that is not in use', 'RFC 4760 section 8', unreach6('400446 0011'), bare),
  accept('End-of-RIB of IPv4', 'RFC 4724 section 2', '', bare),
  accept('End-of-RIB of IPv6', 'RFC 4724 section 2', unreach6('000201'), bare),
  accept('End-of-RIB of a family that is not in use', 'RFC 4724 section 2', unreach6('400446'), bare),
  accept('LOCAL_PREF missing', 'RFC 4271 section 5.1.5', BASE),
];

export const ROWS: readonly Row[] = [...wellKnown, ...optional, ...structure, ...routes];
