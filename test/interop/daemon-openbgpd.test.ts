import { testWith } from './daemon-cases.ts';

testWith('OpenBGPD');
