import { testWith } from './daemon-cases.ts';

testWith('ExaBGP');
