/** What the kernel holds: maps, programs, links, ring buffers and types. */
export {};
