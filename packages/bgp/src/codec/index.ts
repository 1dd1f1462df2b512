/** BGP-4 messages as bytes: pure encoders and decoders, with the error handling of RFC 7606. */

export { pathLength } from './attribute/as-path.ts';
export { type AttributeDescriptor, AttributeFlag, type Json } from './attribute/descriptor.ts';
export { ATTRIBUTES, attributeName } from './attribute/table.ts';
export { AttributeCache } from './attribute-cache.ts';
export { CapabilityCode, ROLES, trueAs } from './capability.ts';
export {
  communityName,
  parseCommunity,
  parseLargeCommunity,
  printCommunity,
  printLargeCommunity,
  WELL_KNOWN_COMMUNITIES,
} from './community.ts';
export { sessionContext } from './context.ts';
export { BgpError, type ResetReason } from './error.ts';
export {
  type Administrator,
  decodeExtendedCommunity,
  type ExtendedCommunityView,
  parseExtendedCommunity,
  printAdministrator,
  printExtendedCommunity,
} from './extended-community.ts';
export {
  FAMILIES,
  FAMILY_NAMES,
  type FamilyDescriptor,
  type FlowDescriptor,
  family,
  familyOf,
  isUnicast,
  parseFamily,
  printFamily,
  type UnicastDescriptor,
} from './family.ts';
export { type FlowRoute, type FlowRun, flowRun } from './flowspec/nlri.ts';
export type { FlowFamily, FlowRule } from './flowspec/rule.ts';
export { MessageFramer } from './framer.ts';
export {
  decodeHeader,
  HEADER_SIZE,
  type Header,
  longestMessage,
  MAX_EXTENDED_MESSAGE,
  MAX_MESSAGE,
  MessageType,
  messageKind,
} from './header.ts';
export {
  decodeMessage,
  encodeKeepalive,
  encodeMessage,
  encodeNotification,
  encodeRouteRefresh,
  notificationBytes,
} from './message.ts';
export { NlriError } from './nlri.ts';
export {
  CeaseSubcode,
  describeNotification,
  ErrorCode,
  FsmSubcode,
  HeaderSubcode,
  hardReset,
  hardResetReason,
  OpenSubcode,
  RouteRefreshSubcode,
  shutdownCommunication,
  shutdownNotification,
  UpdateSubcode,
} from './notification.ts';
export { decodeOpen, encodeOpen } from './open.ts';
export { strongerAction } from './problems.ts';
export { concatRuns, nlriRun, prefixAt } from './run.ts';
export {
  type AnnouncementJson,
  attributesToJson,
  type DecodedMessageJson,
  type DescribeOptions,
  describeMessage,
  type ErrorJson,
  type FlowRouteJson,
  flowsToJson,
  type NotificationJson,
  type PrefixRouteJson,
  type RouteJson,
  routesToJson,
} from './to-json.ts';
export type {
  AfiSafi,
  Aggregator,
  Announcement,
  AsPathSegment,
  Capability,
  ErrorAction,
  ExtendedCommunity,
  FamilyName,
  FlowAnnouncement,
  Ipv6ExtendedCommunity,
  KeepaliveMessage,
  LargeCommunity,
  Message,
  MessageError,
  NextHop,
  NlriRun,
  Notification,
  NotificationMessage,
  OpenMessage,
  PathAttributes,
  RouteRefreshMessage,
  SessionContext,
  UnicastFamily,
  UnknownAttribute,
  UpdateMessage,
} from './types.ts';
export { decodeUpdate } from './update.ts';
export { encodeAttributes, encodeEndOfRib, encodeUpdate, encodeUpdateMessage, type UpdateBatch } from './update-encode.ts';
