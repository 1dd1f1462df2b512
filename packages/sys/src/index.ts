/** Linux system calls for Node through koffi: the only native code in Weir. */
export { errnoName, SystemError } from './libc.ts';
