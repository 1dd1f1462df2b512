import { describe, expect, it } from 'vitest';
import { distinctPatterns, intersectPatterns, keepPatterns, removePatterns } from './interfaces.ts';

describe('names of interfaces', () => {
  it.each([
    { a: 'swp+', b: 'swp1', want: 'swp1' },
    { a: 'swp1', b: 'swp+', want: 'swp1' },
    { a: 'swp+', b: 's+', want: 'swp+' },
    { a: '+', b: 'eth0', want: 'eth0' },
    { a: 'swp1', b: 'swp1', want: 'swp1' },
    { a: 'swp1', b: 'swp2', want: undefined },
    { a: 'swp+', b: 'bond+', want: undefined },
    { a: 'swp1', b: 'swp', want: undefined },
  ])('$a and $b', ({ a, b, want }) => expect(intersectPatterns(a, b)).toBe(want));

  it('are written once each', () => expect(distinctPatterns(['swp+', 'swp1', 'bond0', 'bond0'])).toEqual(['swp+', 'bond0']));

  it.each([
    { names: ['swp+', 'bond+'], gone: ['bond+'], want: { names: ['swp+'], without: undefined } },
    { names: ['swp+'], gone: ['eth0'], want: { names: ['swp+'], without: undefined } },
    { names: ['swp1', 'swp2'], gone: ['swp+'], want: { names: [], without: undefined } },
    { names: ['+'], gone: ['eth0'], want: { names: ['+'], without: 'eth0' } },
  ])('$names without $gone', ({ names, gone, want }) => {
    expect(removePatterns({ names, without: undefined }, gone, undefined)).toEqual(want);
  });

  it.each([
    { names: ['swp+'], gone: ['swp1'] },
    { names: ['+'], gone: ['eth0', 'eth1'] },
    { names: ['+', 'lo'], gone: ['eth0'] },
  ])('$names without $gone takes more than one word', ({ names, gone }) => {
    expect(() => removePatterns({ names, without: undefined }, gone, undefined)).toThrow('an interface is asked for once in a line');
  });

  it('that are left of all but one', () => {
    const rest = removePatterns({ names: ['+'], without: undefined }, ['eth0'], undefined);
    expect(keepPatterns(rest, ['swp1', 'eth0'])).toEqual({ names: ['swp1'], without: undefined });
    expect(() => keepPatterns(rest, ['eth+'])).toThrow('an interface is asked for once in a line');
  });
});
