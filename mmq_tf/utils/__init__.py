"""Files written whole or not at all, quiet native libraries, parallel work."""
