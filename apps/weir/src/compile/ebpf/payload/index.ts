/** What programs ask of the octets of packets, and of names. */
export { AUTOMATA, AutomataTable } from './automata-table.ts';
export { PayloadFunctions } from './functions.ts';
export { emitName, INTERFACES, NAME_OCTETS, type NameField } from './interface-name.ts';
export { emitNameTest } from './name-test.ts';
export { onlyField, passing } from './octets-operand.ts';
export { emitPayloadTest, emitSipMethod } from './payload-test.ts';
