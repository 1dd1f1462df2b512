import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../eval/index.ts';
import { exprBuilder } from './build.ts';
import { arbitraryExpr, arbitrarySubject, LISTS, SMALL_SCHEME } from './small-domain.testkit.ts';

const build = exprBuilder(SMALL_SCHEME);

describe('normal form', () => {
  it('means what was put in, missing values included', () => {
    fc.assert(
      fc.property(arbitraryExpr, fc.array(arbitrarySubject, { minLength: 20, maxLength: 20 }), (expr, subjects) => {
        const simple = build.simplify(expr);
        for (const subject of subjects) expect(evaluate(simple, subject, LISTS)).toBe(evaluate(expr, subject, LISTS));
      }),
      { numRuns: 2000 },
    );
  });

  it('is its own normal form', () => {
    fc.assert(
      fc.property(arbitraryExpr, (expr) => {
        const simple = build.simplify(expr);
        expect(build.simplify(simple)).toEqual(simple);
      }),
      { numRuns: 2000 },
    );
  });

  it('negates exactly', () => {
    fc.assert(
      fc.property(arbitraryExpr, fc.array(arbitrarySubject, { minLength: 10, maxLength: 10 }), (expr, subjects) => {
        const simple = build.simplify(expr);
        const not = build.not(simple);
        for (const subject of subjects) expect(evaluate(not, subject, LISTS)).toBe(!evaluate(simple, subject, LISTS));
        expect(build.simplify(not)).toEqual(not);
        expect(build.not(not)).toEqual(simple);
      }),
      { numRuns: 1000 },
    );
  });
});
