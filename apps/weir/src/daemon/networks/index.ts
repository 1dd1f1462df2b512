/** Tables of networks that other firewalls get. */
export { answerHistory } from './answer-history.ts';
export { answerDump, answerNetworks } from './answer-networks.ts';
export { Feeds, type FeedsOptions } from './feeds/feeds.ts';
export { Networks, type NetworksOptions } from './networks.ts';
export { readPrefixes } from './operator-networks.ts';
