/** Many rules as tables: what a packet is in each of several dimensions, and which rules that leaves. */
export { buildClassifier, type Classifier, ClassifierMemo, type ClassifierOptions, prepareClassifier } from './build.ts';
export { emitClassified } from './emit-classified.ts';
export { needClassifier } from './needs.ts';
export { prepareRules } from './plan.ts';
export { TooLarge } from './too-large.ts';
