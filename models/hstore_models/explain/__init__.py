"""Why a model answers as it does, in the words of chemistry; and what data say of causes."""
