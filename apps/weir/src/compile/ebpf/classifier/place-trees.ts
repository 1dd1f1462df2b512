import type { LaneLayout } from './lanes.ts';
import { MARK, type Part } from './part-writer.ts';
import { recordWords, setPosition } from './record-table.ts';
import { CHILDREN, NOTHING, nodeReference, REFERENCE } from './references.ts';
import { type Branch, ownOf, type Size, type Tree } from './trees.ts';

/** Puts trees one after the other into one array of references, and the records of their leaves into another. */
export class TreePlacer {
  readonly #layout: LaneLayout;
  readonly #nodes: Uint32Array<ArrayBuffer>;
  readonly #records: Uint32Array<ArrayBuffer>;
  readonly #recordWords: number;
  #node: number;
  #record = 1;

  /** `head`: words before the trees, which are the caller's; `sizes` of all that will be placed. */
  constructor(layout: LaneLayout, head: number, sizes: readonly Size[]) {
    this.#layout = layout;
    this.#node = Math.ceil(head / CHILDREN) * CHILDREN;
    this.#recordWords = recordWords(layout);
    this.#nodes = new Uint32Array(this.#node + sizes.reduce((sum, { nodes }) => sum + nodes, 0));
    this.#records = new Uint32Array((1 + sizes.reduce((sum, { records }) => sum + records, 0)) * this.#recordWords);
    // NOTHING: LO - G is 0, so no value keeps a guard; the run ends with it.
    this.#records[3] = 0x8000_0000;
  }

  /** Puts a tree over these members, whose positions are given by case; the reference to its root. */
  place(tree: Tree, members: Int32Array, positions: Uint32Array): number {
    if (tree.kind === 'branch') return this.#branch(tree, members, positions);
    const { part } = tree;
    const moved = this.#part(part, members, positions);
    return movedBy(part.references[0] as number, moved);
  }

  octets(head: readonly number[]): { readonly nodes: Uint8Array<ArrayBuffer>; readonly records: Uint8Array<ArrayBuffer> } {
    this.#nodes.set(head);
    return { nodes: new Uint8Array(this.#nodes.buffer), records: new Uint8Array(this.#records.buffer) };
  }

  #branch({ cut, shares, bare, twigs }: Branch, members: Int32Array, positions: Uint32Array): number {
    const nodes = this.#nodes;
    const at = this.#node;
    const children = 2 ** cut.bits;
    this.#node += Math.ceil(children / CHILDREN) * CHILDREN;
    nodes.fill(NOTHING, at + children, this.#node);
    const alike = bare ? this.place(bare, ownOf(members, shares, 0, 0), positions) : NOTHING;
    for (const { first, count, of } of twigs) {
      const before = first > 0 ? (nodes[at + first - 1] as number) : NOTHING;
      const own = ownOf(members, shares, shares.starts[first] as number, shares.starts[first + count] as number);
      if (of === undefined) nodes.fill(before, at + first, at + first + count);
      else if (of.kind === 'tree') nodes[at + first] = this.place(of.tree, own.sort(), positions);
      else {
        const { references } = of.part;
        const moved = this.#part(of.part, own, positions);
        for (let child = 0; child < count; child++) {
          const reference = references[child] as number;
          nodes[at + first + child] = reference === MARK.alike ? alike : reference === MARK.before ? before : movedBy(reference, moved);
        }
      }
    }
    const lane = this.#layout.lanes[cut.lane];
    if (!lane) throw new RangeError(`no lane ${cut.lane}`);
    return nodeReference(lane, cut, at);
  }

  /** Where nodes and records of a part are: what that adds to references. */
  #part(part: Part, members: Int32Array, positions: Uint32Array): Moved {
    const nodes = this.#nodes;
    const records = this.#records;
    const size = this.#recordWords;
    const moved: Moved = { node: (this.#node / CHILDREN) << REFERENCE.children, leaf: (this.#record - 1) * size * 4 };
    for (let i = 0; i < part.nodes.length; i++) nodes[this.#node + i] = movedBy(part.nodes[i] as number, moved);
    const start = this.#record * size;
    const { free } = this.#layout;
    records.set(part.records, start);
    for (let i = 0; i < part.cases.length; i++)
      setPosition(records, start + i * size, free, positions[members[part.cases[i] as number] as number] as number);
    this.#node += part.nodes.length;
    this.#record += part.cases.length;
    return moved;
  }
}

interface Moved {
  readonly node: number;
  readonly leaf: number;
}

function movedBy(reference: number, { node, leaf }: Moved): number {
  return reference < REFERENCE.leaf ? reference + node : reference === NOTHING ? NOTHING : reference + leaf;
}
