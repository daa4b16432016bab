// The memory of one call.
#pragma once

// Forgets what the host has put into memory for this call. Nothing of it may be read afterwards.
void memory_forget(void);
