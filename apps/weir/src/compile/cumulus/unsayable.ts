import type { IrSpan } from '@weir/filter/ir';
import { Unsayable } from '../refusal.ts';

export function unsayable(construct: string, span?: IrSpan): Unsayable {
  return new Unsayable('an ACL file', construct, span);
}
