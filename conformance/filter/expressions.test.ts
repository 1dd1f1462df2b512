import { parse, print, printJson, printProblem, treeToJson } from '@weir/filter/syntax';
import { describe, expect, it } from 'vitest';
import { invalidCases, validCases } from './cases.ts';

const valid = validCases();
const invalid = invalidCases();

describe('valid expressions', () => {
  it.each(valid)('$name', ({ expression, scheme, json }) => {
    const result = parse(expression, scheme);
    if ('problem' in result) throw new Error(printProblem(expression, result.problem));
    expect(printJson(treeToJson(result.tree))).toBe(json);
    expect(print(result.tree)).toBe(expression);
  });

  it('cut anywhere give a tree or a problem inside the text', () => {
    for (const { expression, scheme } of valid.filter((c) => c.expression.length < 200)) {
      for (let length = 0; length < expression.length; length++) {
        const text = expression.slice(0, length);
        const result = parse(text, scheme);
        if ('tree' in result) expect(print(result.tree)).toBe(text);
        else {
          const { start, end } = result.problem.span;
          expect(0 <= start && start <= end && end <= text.length).toBe(true);
          expect(printProblem(text, result.problem)).toMatch(/^Filter parsing error \(\d+:\d+\):\n.*\n *\^+ ./);
        }
      }
    }
  });
});

describe('invalid expressions', () => {
  it.each(invalid)('$name', ({ expression, scheme, error }) => {
    const result = parse(expression, scheme);
    expect('problem' in result && printProblem(expression, result.problem)).toBe(error);
  });
});

it('there are cases, each with a name of its own', () => {
  for (const cases of [valid, invalid]) {
    expect(cases.length).toBeGreaterThan(100);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  }
});
