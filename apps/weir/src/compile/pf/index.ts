/** Rules in the order of judgement as a pf.conf of OpenBSD. */
export { compilePf, type PfText } from './compile-pf.ts';
