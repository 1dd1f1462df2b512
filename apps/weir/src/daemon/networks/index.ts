/** Tables of networks that other firewalls get. */
export { answerNetworks } from './answer-networks.ts';
export { Networks, type NetworksOptions } from './networks.ts';
export { readPrefixes } from './operator-networks.ts';
