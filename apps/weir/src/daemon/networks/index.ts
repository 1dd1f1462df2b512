/** Tables of networks that other firewalls get. */
export { answerNetworks } from './answer-networks.ts';
export { Networks, type NetworksOptions, readPrefixes } from './networks.ts';
