# Sourced by the scripts that look at every feature set: one line each, the arguments for cargo. Add a line for each feature and each pair that can meet.
FEATURE_SETS=(
    ""
    "--no-default-features"
)
